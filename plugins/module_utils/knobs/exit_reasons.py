# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of the reasons for which a guest leaves its CPU, as arch/x86/include/uapi/asm/{vmx,svm}.h have them."""

from __future__ import annotations

VMX, SVM = 1, 2
_NAMES = {
    VMX: {
        0: "exception_nmi",
        1: "external_interrupt",
        7: "interrupt_window",
        10: "cpuid",
        12: "hlt",
        14: "invlpg",
        18: "vmcall",
        28: "cr_access",
        29: "dr_access",
        30: "io_instruction",
        31: "msr_read",
        32: "msr_write",
        36: "mwait",
        40: "pause",
        44: "apic_access",
        45: "eoi_induced",
        48: "ept_violation",
        49: "ept_misconfig",
        52: "preemption_timer",
        54: "wbinvd",
        55: "xsetbv",
        56: "apic_write",
        62: "pml_full",
    },
    SVM: {
        **{0x40 + number: f"excp_{number}" for number in range(32)},
        0x60: "interrupt",
        0x61: "nmi",
        0x64: "vintr",
        0x6E: "rdtsc",
        0x72: "cpuid",
        0x74: "iret",
        0x77: "pause",
        0x78: "hlt",
        0x7B: "ioio",
        0x7C: "msr",
        0x7F: "shutdown",
        0x81: "vmmcall",
        0x8A: "monitor",
        0x8B: "mwait",
        0x8D: "xsetbv",
        0x400: "npf",
        0x401: "avic_incomplete_ipi",
        0x402: "avic_unaccelerated_access",
    },
}


def name_of(isa: int, reason: int) -> str:
    """A name, or the number where we know none."""
    number = reason & 0xFFFF if isa == VMX else reason
    return _NAMES.get(isa, {}).get(number, str(number))
