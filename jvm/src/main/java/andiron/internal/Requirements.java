package andiron.internal;

import andiron.EnvironmentException;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The jar's requirements on Java, Scala, Spark and platform. This class must run on unsuitable versions: it uses Scala
 * only for its version number, and no API newer than Java 8.
 */
public final class Requirements {

  /** Code of an {@link EnvironmentException}. */
  public static final int CODE = 405;

  /** System property with the path of a library to load instead of the one in the jar. */
  public static final String PATH_PROPERTY = "andiron.native.path";

  /** Environment variable for the same; the property takes precedence. */
  public static final String PATH_VARIABLE = "ANDIRON_NATIVE_PATH";

  /** Resource with the jar's description of itself. */
  public static final String FACTS = "META-INF/andiron.properties";

  private static final String GROUP = "dev.andiron";
  private static final String[] SCALAS = {"2.12", "2.13"};
  private static final int LEAST_JAVA = 17;
  private static final Pattern NUMBERS = Pattern.compile("(\\d+)\\.(\\d+).*");

  private Requirements() {}

  /** The unmet requirements on Java, Scala and Spark; null if all are met. */
  public static String problem() {
    return said(facts(), Found.here(null));
  }

  /** As {@link #problem}, including a library in the jar for this platform. */
  public static String problemOfDriver() {
    return said(facts(), Found.here(ownLibrary() ? null : Platform.current()));
  }

  /** Throws an EnvironmentException with the text of {@link #problem}. */
  public static void require() {
    String problem = problem();
    if (problem != null) throw new EnvironmentException(CODE, problem, null);
  }

  /** For a command: prints unmet requirements and ends the process with status 1. */
  public static void exitUnlessMet(String command) {
    String problem = problemOfDriver();
    if (problem == null) return;
    System.err.println(command + ": " + problem);
    System.exit(1);
  }

  /** The message for a jar without a library for {@code platform}. */
  public static String noLibrary(String platform, Properties jar) {
    TreeSet<String> platforms = new TreeSet<>();
    for (String key : jar.stringPropertyNames()) if (key.startsWith("library.")) platforms.add(key.substring("library.".length()));
    return "The jar has no library for this platform, " + platform + " (META-INF/native/" + platform + "/). It has " + (platforms.isEmpty() ? "none" : String.join(", ", platforms))
        + ". Build one with `gradle jar` on such a machine, or name it by -D" + PATH_PROPERTY + "=<file>.";
  }

  /** The message for a jar without {@link #FACTS}. */
  public static String noFacts() {
    return "The resource " + FACTS + " is missing beside Andiron's classes. Use the jar as it was built; a repackaged one must keep META-INF.";
  }

  /**
   * The environment of a process. {@code scala} and {@code spark} are null if missing, {@code platform} if no library
   * is required for it.
   */
  static final class Found {
    final String java;
    final String javaHome;
    final String scala;
    final String spark;
    final String platform;

    Found(String java, String javaHome, String scala, String spark, String platform) {
      this.java = java;
      this.javaHome = javaHome;
      this.scala = scala;
      this.spark = spark;
      this.platform = platform;
    }

    static Found here(String platform) {
      return new Found(
          System.getProperty("java.specification.version"), System.getProperty("java.home"), scalaVersion(), sparkVersion(), platform);
    }
  }

  /** All unmet requirements in one text; null if all are met. {@code jar} is null if the jar lacks its facts. */
  static String said(Properties jar, Found here) {
    List<String> all = new ArrayList<>();
    if (here.scala == null || here.spark == null)
      all.add("Andiron runs in Spark, and " + (here.spark == null ? "Spark" : "Scala") + " is not on the class path: start it by spark-submit.");
    ofJava(here, all);
    if (here.scala != null && jar != null) ofScala(jar, here, all);
    if (here.spark != null && isOld(here.spark))
      all.add("Andiron needs Spark 3.5 or newer, and this is Spark " + here.spark + ".");
    if (here.platform != null && jar == null) all.add(noFacts());
    else if (here.platform != null && !jar.containsKey("library." + here.platform)) all.add(noLibrary(here.platform, jar));
    return all.isEmpty() ? null : String.join(" ", all);
  }

  private static void ofJava(Found here, List<String> all) {
    Matcher major = Pattern.compile("(?:1\\.)?(\\d+).*").matcher(here.java);
    if (!major.matches() || Integer.parseInt(major.group(1)) < LEAST_JAVA)
      all.add("Andiron needs Java " + LEAST_JAVA + " or newer, and this is Java " + here.java + " (" + here.javaHome
          + "). Point JAVA_HOME of the driver and of the executors (spark.executorEnv.JAVA_HOME) to a newer one.");
  }

  private static void ofScala(Properties jar, Found here, List<String> all) {
    String ours = jar.getProperty("scala");
    if (ours == null || here.scala.startsWith(ours + ".")) return;
    String found = "This is the jar of Andiron for Scala " + ours + ", andiron_" + ours + ", and this Spark, " + here.spark + ", has Scala " + here.scala + ": ";
    for (String scala : SCALAS)
      if (here.scala.startsWith(scala + ".")) {
        String version = jar.getProperty("version", "unknown");
        all.add(found + "take andiron_" + scala + "-" + version + ".jar in its place, or --packages " + GROUP + ":andiron_" + scala + ":" + version + ".");
        return;
      }
    all.add(found + "there are andiron_" + String.join(" and andiron_", SCALAS) + " only.");
  }

  private static boolean isOld(String spark) {
    Matcher numbers = NUMBERS.matcher(spark);
    if (!numbers.matches()) return false;
    int major = Integer.parseInt(numbers.group(1));
    return major < 3 || (major == 3 && Integer.parseInt(numbers.group(2)) < 5);
  }

  private static String scalaVersion() {
    try {
      return scala.util.Properties.versionNumberString();
    } catch (LinkageError e) {
      return null;
    }
  }

  private static String sparkVersion() {
    try {
      return org.apache.spark.package$.MODULE$.SPARK_VERSION();
    } catch (LinkageError e) {
      return null;
    }
  }

  private static boolean ownLibrary() {
    String property = System.getProperty(PATH_PROPERTY);
    String path = property != null ? property : System.getenv(PATH_VARIABLE);
    return path != null && !path.isEmpty();
  }

  private static Properties facts() {
    try (InputStream in = Requirements.class.getClassLoader().getResourceAsStream(FACTS)) {
      if (in == null) return null;
      Properties facts = new Properties();
      facts.load(in);
      return facts;
    } catch (IOException e) {
      return null;
    }
  }
}
