"""What can be tested of the library without the module: arguments, and that a missing module is an error by name."""

import os
import struct
import unittest

import progmp


class Calls(unittest.TestCase):
    def test_structures_have_the_sizes_of_the_header(self):
        sizes = [layout.size for layout in (progmp._VERSION, progmp._CHOICE, progmp._REGISTERS, progmp._USER)]
        self.assertEqual(sizes, [64, 40, 56, 16])

    def test_numbers_of_calls_hold_direction_size_and_number(self):
        number = progmp._number(progmp._WRITE, 3, progmp._REGISTERS)
        self.assertEqual(struct.pack(">I", number), bytes([0x40, 56, 0xB7, 3]))

    def test_arguments_out_of_range_are_refused_before_the_kernel_is_asked(self):
        for register in (0, 7, -1):
            with self.assertRaisesRegex(progmp.Error, "register-out-of-range"):
                progmp.setRegister(0, register, 1)
        for value in (-1, 1 << 64):
            with self.assertRaisesRegex(progmp.Error, "value-out-of-range"):
                progmp.setRegister(0, progmp.R1, value)
        for name in ("a_name_of_32_bytes_is_one_too_many"[:32], "two words", "a/b", "\u00fc", "nul\0"):
            with self.assertRaisesRegex(progmp.Error, "bad-name"):
                progmp.setScheduler(0, name)
        with self.assertRaisesRegex(TypeError, "not float"):
            progmp.setScheduler(5.5, "x")

    def test_without_the_module_every_call_says_so(self):
        if os.path.exists(progmp.DEVICE):
            self.skipTest("the module is inserted")
        for call in (lambda: progmp.setScheduler(0, "x"), lambda: progmp.setRegister(0, progmp.R1, 1)):
            with self.assertRaisesRegex(progmp.Error, "no-module"):
                call()

    def test_without_the_command_loading_says_so(self):
        path, os.environ["PATH"] = os.environ["PATH"], "/nowhere"
        try:
            with self.assertRaisesRegex(progmp.Error, "no-command"):
                progmp.loadScheduler("", "x")
        finally:
            os.environ["PATH"] = path


if __name__ == "__main__":
    unittest.main()
