import os
import subprocess
import sys
import time
import unittest

from harness import memory

HOLD = "import sys; block = bytearray(b'x' * (64 << 20)); print('held', flush=True); sys.stdin.read()"


class MemoryTest(unittest.TestCase):
    def held(self, *words: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.communicate)
        assert process.stdout is not None
        self.assertEqual(process.stdout.readline().strip(), "held")
        return process

    def test_executors_are_found_among_descendants_and_no_other_process(self) -> None:
        executor = self.held(memory.EXECUTOR)
        other = self.held("somebody")
        found = memory.executors(os.getpid())
        self.assertIn(executor.pid, found)
        self.assertNotIn(other.pid, found)

    def test_what_an_executor_holds_is_in_the_peak(self) -> None:
        self.held(memory.EXECUTOR)
        with memory.Sampler(os.getpid(), 1) as sampler:
            time.sleep(4 * memory.PERIOD_S)
        self.assertIsNone(sampler.error)
        self.assertGreater(sampler.peak.samples, 0)
        self.assertGreater(sampler.peak.rss, 64 << 20)
        self.assertGreater(sampler.peak.pss, 64 << 20)
        self.assertLessEqual(sampler.peak.pss, sampler.peak.rss)

    def test_a_process_that_has_gone_has_no_usage(self) -> None:
        process = self.held("gone")
        process.communicate()
        self.assertIsNone(memory.usage(process.pid))
