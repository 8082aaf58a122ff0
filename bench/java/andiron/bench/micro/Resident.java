package andiron.bench.micro;

import andiron.Bytes;
import andiron.Catalog;
import andiron.Loader;
import andiron.Version;
import andiron.VersionedData;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.apache.spark.sql.SparkSession;
import org.openjdk.jmh.annotations.*;

/** A local Spark with a catalog of two small versions, both resident. */
@State(Scope.Benchmark)
public class Resident {
    static final int BYTES = 32 << 10;

    Catalog<Bytes> catalog;
    private SparkSession spark;
    private Path folder;

    @Setup(Level.Trial)
    public void start() throws IOException {
        folder = Files.createTempDirectory("andiron-micro");
        spark = SparkSession.builder().master("local[1]").appName("andiron-micro").config("spark.ui.enabled", false)
            .config("spark.log.level", "WARN").config("spark.local.dir", folder.toString()).getOrCreate();
        List<Version> versions = new ArrayList<>();
        for (String name : new String[] {"2020-06-01", "2020-06-02"}) {
            byte[] bytes = cycle(new Random(name.hashCode()));
            versions.add(Version.of(name, Files.write(folder.resolve(name), bytes).toUri().toString()));
        }
        catalog = VersionedData.catalog(spark, "micro", versions, Loader.bytes());
        try (andiron.Cursor<Bytes> cursor = catalog.cursor()) {
            for (Version version : versions) {
                cursor.advance(version.name());
            }
        }
    }

    /** Longs in one cycle: each is the offset of the next, in random order. */
    private static byte[] cycle(Random random) {
        long[] next = new long[BYTES / 8];
        for (int i = 0; i < next.length; i++) {
            next[i] = 8L * i;
        }
        for (int i = next.length - 1; i > 0; i--) {
            int other = random.nextInt(i);
            long offset = next[i];
            next[i] = next[other];
            next[other] = offset;
        }
        ByteBuffer bytes = ByteBuffer.allocate(BYTES).order(ByteOrder.LITTLE_ENDIAN);
        bytes.asLongBuffer().put(next);
        return bytes.array();
    }

    @TearDown(Level.Trial)
    public void stop() {
        catalog.close();
        spark.stop();
    }
}
