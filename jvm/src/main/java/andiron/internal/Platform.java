package andiron.internal;

import java.util.Locale;

/** {@code <os>-<arch>} as the jar names its libraries. */
public final class Platform {

  private Platform() {}

  /** That of this process. */
  public static String current() {
    return name(System.getProperty("os.name"), System.getProperty("os.arch"));
  }

  /** From the values of {@code os.name} and {@code os.arch}; what is unknown stays visible in the name. */
  public static String name(String os, String arch) {
    String lower = os.toLowerCase(Locale.ROOT);
    String system = lower.contains("linux") ? "linux" : lower.contains("mac") ? "macos" : lower.split(" ", 2)[0];
    String machine = arch.toLowerCase(Locale.ROOT);
    switch (machine) {
      case "amd64":
        return system + "-x86_64";
      case "arm64":
        return system + "-aarch64";
      default:
        return system + "-" + machine;
    }
  }
}
