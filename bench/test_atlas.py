import json
import unittest

from bench import atlas


class AtlasTest(unittest.TestCase):
    def test_the_picture_is_that_of_what_atlas_answered(self):
        graphs = json.loads((atlas.ROOT / atlas.GRAPHS).read_text(encoding="utf-8"))
        self.assertEqual(atlas.picture(graphs), (atlas.ROOT / atlas.PICTURE).read_text(encoding="utf-8"))

    def test_the_published_figures_are_those_of_their_runs(self):
        content = json.loads((atlas.ROOT / atlas.DATA).read_text(encoding="utf-8"))
        self.assertEqual(atlas.figures(content["raw"]), content["figures"])
        self.assertTrue(all(figure["reached"] for figure in content["figures"]), content["figures"])
        self.assertTrue(all(run["left_out"] > 0 and run["sent"] > 0 for run in content["raw"]), "the limit of series was reached")
