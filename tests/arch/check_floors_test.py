#!/usr/bin/env python3
"""The floor check finds what it is for: each breach is planted in a small tree of its own."""
import pathlib
import subprocess
import sys
import tempfile
import unittest

CHECK = pathlib.Path(__file__).with_name("check_floors.py")


def run(files):
    with tempfile.TemporaryDirectory() as tree:
        for name, text in files.items():
            path = pathlib.Path(tree, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        result = subprocess.run([sys.executable, CHECK, tree], capture_output=True, text=True, check=False)
        return result.returncode, result.stdout


class CheckFloors(unittest.TestCase):
    def breach(self, files, expected):
        code, output = run(files)
        self.assertEqual(code, 1, output)
        self.assertIn(expected, output)

    def test_a_clean_tree_passes(self):
        code, output = run({"agent/call/a.cc": '#include "agent/mcp/message.h"\n#include "common/clock.h"\n'})
        self.assertEqual((code, output), (0, ""))

    def test_an_include_upwards_is_found(self):
        self.breach({"agent/mcp/a.h": '#include "agent/call/call.h"\n'}, "agent/mcp/a.h:1: agent/mcp includes agent/call/call.h")

    def test_an_include_sideways_is_found(self):
        self.breach({"agent/mask/a.cc": '#include "agent/record/spool.h"\n'}, "not below it")

    def test_the_other_program_is_out_of_sight(self):
        self.breach({"agent/call/a.cc": '#include "controlplane/model/session.h"\n'}, "not below it")

    def test_common_has_an_order_of_its_own(self):
        self.breach({"common/jose/a.cc": '#include "common/clock.h"\n'}, "common/jose includes common/clock.h")

    def test_a_room_without_a_floor_is_found(self):
        self.breach({"agent/helpers/a.cc": "\n"}, "no room of the plan")

    def test_a_link_upwards_is_found(self):
        self.breach({"agent/mcp/CMakeLists.txt": "sallyport_library(agent_mcp\n  SOURCES a.cc\n  LINK agent_call)\n"}, "links agent_call")

    def test_a_throw_is_found(self):
        self.breach({"common/clock.cc": "  throw 1;\n"}, "does not throw")

    def test_a_field_without_a_class_is_found(self):
        self.breach({"proto/a.proto": "message A {\n  string b = 1;\n}\n"}, "without a sensitivity class")


if __name__ == "__main__":
    unittest.main()
