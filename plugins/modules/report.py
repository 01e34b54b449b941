#!/usr/bin/python
# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Report a run on the controller. The work is done by the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: report
short_description: Make the table and the report of a run
version_added: 0.1.0
author: The virtperf.vhost authors (@virtperf)
description:
  - Gathers the records below C(hosts/) in the directory of a run into C(trials.jsonl), each trial once, and writes
    C(table.txt), C(report.html) and the end of C(manifest.json). Each file is either written whole or left as it was.
  - Of the study C(throttle) the report draws the time series that C(samples/) has for the records. One that is missing
    or cannot be read is a note, and no failure.
  - Of the studies C(knobs) and C(consolidate) trials are compared in pairs of the same number. An effect is a ratio to
    the baseline with its 95 % interval. It matters, does not matter (the interval lies within 3 % of no change), or
    cannot be told yet, with how many more pairs would tell.
  - Valid trials are summarised cell by cell; invalid ones are kept and shown, and never part of a number. When a cell
    has more valid trials than it needs, the newest count.
  - The table is shown on the screen as well.
  - An incomplete run is no failure of this module, see RV(complete).
  - Runs on the controller. The host of the task is not connected to.
options:
  run_id:
    description: The run, as M(virtperf.vhost.run_open) opened it.
    type: str
    required: true
  results_dir:
    description: Where the directories of all runs are; relative to the working directory.
    type: path
    default: results
  facts:
    description:
      - Facts about the hosts by their names, kept in the manifest and shown in the report. Any JSON will do; versions
        called C(dpdk), C(qemu), C(libvirt) and C(kernel) stand above the table as well.
      - Facts of hosts that are not named here stay as they are.
    type: dict
  failures:
    description:
      - What went wrong in the run, in words, to be told first in the table and the report.
      - When not given, what an earlier report was told stays.
    type: list
    elements: str
  reference:
    description:
      - Show the figures of the measurement that a study follows beside those of the run, and what differs in the setup.
      - Of that one, only what is known is shown; the source is named.
    type: bool
    default: false
extends_documentation_fragment:
  - virtperf.vhost.run.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: partial
    details: The difference shown is that of C(table.txt).
  idempotent:
    support: full
  platform:
    details: Of the controller; nothing is done on the host.
requirements:
  - Python 3.11 or newer on the controller
  - plotly on the controller, for C(report.html)
  - scipy on the controller, for the studies C(knobs) and C(consolidate)
seealso:
  - module: virtperf.vhost.run_open
"""

EXAMPLES = r"""
- name: Report
  virtperf.vhost.report:
    run_id: 20261120T100000Z-1a2b
    failures:
      - "lab2: prepare: no hugepages to be had"
  register: report

- name: Show the table
  ansible.builtin.debug:
    msg: "{{ report.table_lines }}"

- name: Fail when a cell lacks trials
  ansible.builtin.assert:
    that: report.complete
"""

RETURN = r"""
complete:
  description: Whether every cell has the valid trials it needs, or was skipped with a reason.
  returned: when the records could be read
  type: bool
  sample: false
incomplete_cells:
  description: The cells that lack valid trials.
  returned: when the records could be read
  type: list
  elements: dict
  contains:
    host:
      description: The measured host.
      type: str
      returned: success
      sample: localhost
    study:
      description: The study.
      type: str
      returned: success
      sample: reflect
    cell:
      description: The factors' levels.
      type: dict
      returned: success
      sample: {driver: virtio_user_packed, queues: 1, packet_size: 512}
    valid:
      description: How many valid trials it has.
      type: int
      returned: success
      sample: 2
    wanted:
      description: How many it needs.
      type: int
      returned: success
      sample: 3
    reasons:
      description: Why it lacks the others.
      type: list
      elements: str
      returned: success
      sample: ["trial 2: ring size 128 instead of 256"]
table:
  description: What is in C(table.txt).
  returned: when the records could be read
  type: str
  sample: "reflect, run 20261120T100000Z-1a2b, host localhost\n..."
table_lines:
  description: The same, line by line.
  returned: when the records could be read
  type: list
  elements: str
  sample: ["reflect, run 20261120T100000Z-1a2b, host localhost", "..."]
notes:
  description: Lines that were no records and are left out, such as one cut off by a crash.
  returned: when the records could be read
  type: list
  elements: str
  sample: []
paths:
  description: Absolute paths of the run's directory and files.
  returned: when the records could be read
  type: dict
  sample:
    run_dir: /home/me/results/20261120T100000Z-1a2b
    trials: /home/me/results/20261120T100000Z-1a2b/trials.jsonl
    manifest: /home/me/results/20261120T100000Z-1a2b/manifest.json
    table: /home/me/results/20261120T100000Z-1a2b/table.txt
    report: /home/me/results/20261120T100000Z-1a2b/report.html
free_mib:
  description: How much is free in O(results_dir), in MiB.
  returned: when something could not be written
  type: float
  sample: 0.4
"""
