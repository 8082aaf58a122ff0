package andiron.internal;

import java.util.Locale;

/** {@code <os>-<arch>}, as in the names of the jar's libraries. */
public final class Platform {

  private Platform() {}

  /** The platform of this process. */
  public static String current() {
    return name(System.getProperty("os.name"), System.getProperty("os.arch"));
  }

  /** The platform for values of {@code os.name} and {@code os.arch}; unknown values appear in the name unchanged. */
  public static String name(String os, String arch) {
    String lower = os.toLowerCase(Locale.ROOT);
    String system = lower.contains("linux") ? "linux" : lower.contains("mac") ? "macos" : lower.split(" ", 2)[0];
    return system + "-" + machine(arch.toLowerCase(Locale.ROOT));
  }

  private static String machine(String arch) {
    switch (arch) {
      case "amd64":
        return "x86_64";
      case "arm64":
        return "aarch64";
      default:
        return arch;
    }
  }
}
