scalaVersion := "$full"
resolvers += "here" at "$repository"
libraryDependencies += "$group" %% "andiron" % "$version" withSources() withJavadoc()
