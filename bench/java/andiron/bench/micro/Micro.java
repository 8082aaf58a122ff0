package andiron.bench.micro;

import org.apache.spark.launcher.JavaModuleOptions;
import org.openjdk.jmh.results.format.ResultFormatType;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;

/** `Micro RESULT ITERATIONS MILLIS PATTERN`: runs each benchmark with a matching name in its own process, with the module options of Spark. */
public final class Micro {
    private Micro() {}

    public static void main(String[] arguments) throws RunnerException {
        String[] options = (JavaModuleOptions.defaultModuleOptions() + " -Xmx1g -XX:+UseSerialGC").split(" ");
        int iterations = Integer.parseInt(arguments[1]);
        TimeValue time = TimeValue.milliseconds(Long.parseLong(arguments[2]));
        new Runner(new OptionsBuilder()
            .include("andiron\\.bench\\.micro\\..*(" + arguments[3] + ")")
            .forks(1)
            .warmupIterations(iterations).warmupTime(time)
            .measurementIterations(iterations).measurementTime(time)
            .shouldFailOnError(true)
            .jvmArgsAppend(options)
            .resultFormat(ResultFormatType.JSON).result(arguments[0])
            .build()).run();
    }
}
