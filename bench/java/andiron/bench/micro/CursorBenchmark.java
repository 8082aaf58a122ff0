package andiron.bench.micro;

import andiron.Bytes;
import andiron.Cursor;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.*;
import org.openjdk.jmh.infra.Blackhole;

/** The cost of requesting a row's version: the version of the row before, or another resident version. */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class CursorBenchmark {
    private static final int ROWS = 1024;

    /** The cursor of a thread. */
    @State(Scope.Thread)
    public static class Place {
        Cursor<Bytes> cursor;
        final String[] oneText = new String[ROWS];
        final String[] equalTexts = new String[ROWS];

        @Setup
        public void open(Resident resident) {
            cursor = resident.catalog.cursor();
            for (int i = 0; i < ROWS; i++) {
                oneText[i] = "2020-06-01";
                equalTexts[i] = new String("2020-06-01");
            }
        }

        @TearDown
        public void close() {
            cursor.close();
        }
    }

    /** Rows that share one string of their version, as with dictionary-encoded columns. */
    @Benchmark
    @OperationsPerInvocation(ROWS)
    public void sameVersionSameText(Place place, Blackhole hole) {
        for (String version : place.oneText) {
            hole.consume(place.cursor.advance(version));
        }
    }

    /** Rows that each have their own string of the version. */
    @Benchmark
    @OperationsPerInvocation(ROWS)
    public void sameVersionOwnText(Place place, Blackhole hole) {
        for (String version : place.equalTexts) {
            hole.consume(place.cursor.advance(version));
        }
    }

    /** Without a cursor: the JVM's time for comparing such strings. */
    @Benchmark
    @OperationsPerInvocation(ROWS)
    public void equalsAlone(Place place, Blackhole hole) {
        for (String version : place.equalTexts) {
            hole.consume(version.equals(place.oneText[0]));
        }
    }

    /** The loop alone, as the baseline. */
    @Benchmark
    @OperationsPerInvocation(ROWS)
    public void loopAlone(Place place, Blackhole hole) {
        for (String version : place.equalTexts) {
            hole.consume(version);
        }
    }

    @Benchmark
    @OperationsPerInvocation(2)
    public void advanceToResident(Place place, Blackhole hole) {
        hole.consume(place.cursor.advance("2020-06-01"));
        hole.consume(place.cursor.advance("2020-06-02"));
    }

    @Benchmark
    @Threads(2)
    @OperationsPerInvocation(2)
    public void advanceToResidentTwoThreads(Place place, Blackhole hole) {
        hole.consume(place.cursor.advance("2020-06-01"));
        hole.consume(place.cursor.advance("2020-06-02"));
    }
}
