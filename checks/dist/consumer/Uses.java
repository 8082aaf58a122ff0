public final class Uses {
  public static void main(String[] arguments) {
    System.out.println("code " + new andiron.SettingException(7, "no budget", null).code());
  }
}
