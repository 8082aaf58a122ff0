package andiron.bench.micro;

import andiron.Bytes;
import andiron.Cursor;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.*;

/** A read of a long from a leased version, in place, compared with an unchecked read by Unsafe. All data fit into the L1 cache. */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class ReadBenchmark {
    private static final int LONGS = Resident.BYTES / 8;

    /** The leased bytes, a copy of them, and their offsets in random order. */
    @State(Scope.Thread)
    public static class Memory {
        sun.misc.Unsafe unsafe;
        long address;
        Bytes bytes;
        final long[] offsets = new long[LONGS];
        private Cursor<Bytes> cursor;

        @Setup
        public void open(Resident resident) throws ReflectiveOperationException {
            java.lang.reflect.Field field = sun.misc.Unsafe.class.getDeclaredField("theUnsafe");
            field.setAccessible(true);
            unsafe = (sun.misc.Unsafe) field.get(null);
            cursor = resident.catalog.cursor();
            bytes = cursor.advance("2020-06-01");
            address = unsafe.allocateMemory(Resident.BYTES);
            for (int i = 0; i < LONGS; i++) {
                offsets[i] = bytes.getLong(8L * i);
                unsafe.putLong(address + 8L * i, offsets[i]);
            }
        }

        @TearDown
        public void close() {
            unsafe.freeMemory(address);
            cursor.close();
        }
    }

    /** Each read depends on the read before, as in a search or a lookup. */
    @Benchmark
    @OperationsPerInvocation(LONGS)
    public long oneByOne(Memory memory) {
        long offset = 0;
        for (int i = 0; i < LONGS; i++) {
            offset = memory.bytes.getLong(offset);
        }
        return offset;
    }

    @Benchmark
    @OperationsPerInvocation(LONGS)
    public long oneByOneUnsafe(Memory memory) {
        long offset = 0;
        for (int i = 0; i < LONGS; i++) {
            offset = memory.unsafe.getLong(memory.address + offset);
        }
        return offset;
    }

    @Benchmark
    @OperationsPerInvocation(LONGS)
    public long inOrder(Memory memory) {
        long sum = 0;
        for (long offset = 0; offset < Resident.BYTES; offset += 8) {
            sum += memory.bytes.getLong(offset);
        }
        return sum;
    }

    @Benchmark
    @OperationsPerInvocation(LONGS)
    public long inOrderUnsafe(Memory memory) {
        long sum = 0;
        for (long offset = 0; offset < Resident.BYTES; offset += 8) {
            sum += memory.unsafe.getLong(memory.address + offset);
        }
        return sum;
    }

    @Benchmark
    @OperationsPerInvocation(LONGS)
    public long inDisorder(Memory memory) {
        long sum = 0;
        for (long offset : memory.offsets) {
            sum += memory.bytes.getLong(offset);
        }
        return sum;
    }

    @Benchmark
    @OperationsPerInvocation(LONGS)
    public long inDisorderUnsafe(Memory memory) {
        long sum = 0;
        for (long offset : memory.offsets) {
            sum += memory.unsafe.getLong(memory.address + offset);
        }
        return sum;
    }
}
