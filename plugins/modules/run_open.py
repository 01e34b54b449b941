#!/usr/bin/python
# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Open a run on the controller. The work is done by the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: run_open
short_description: Open the results directory of a run
version_added: 0.1.0
author: The virtperf.vhost authors (@virtperf)
description:
  - Makes the directory of a run below O(results_dir), with its manifest, and proves that it can be written, so that a
    full disk is found before anything is measured.
  - When the run exists already and was to measure the same, it is resumed. RV(done) then tells what need not be
    measured again.
  - When it was to measure something else, or the directory was not made by this module, the module fails and leaves it
    alone.
  - Runs on the controller. The host of the task is not connected to. With several hosts in a play, use C(run_once).
options:
  run_id:
    description:
      - Names the run and its directory. Up to 64 letters, digits, C(.), C(_) and C(-), a letter or digit first.
      - When empty, a new one is made from the time and four random digits.
    type: str
    default: ""
  results_dir:
    description: Where the directories of all runs are; relative to the working directory.
    type: path
    default: results
  definition:
    description:
      - The studies of the run, each as its name and its resolved definition, of what JSON can hold.
      - A definition has C(cells) and C(trials), the number of valid trials that each cell needs. C(skipped) is a list
        of cells with a C(reason), and a C(host) where that holds for one host only. C(hosts) is there when the study
        runs on some of O(hosts) only. All else is kept as it is and compared when the run is resumed.
    type: dict
    required: true
  hosts:
    description: The hosts to be measured. Hosts that an earlier attempt at the run did not have are added to it.
    type: list
    elements: str
    required: true
  min_free_mib:
    description: Fail when less than this is free in O(results_dir), in MiB.
    type: float
    default: 64
extends_documentation_fragment:
  - virtperf.vhost.run.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: partial
    details: Without O(run_id) each call opens a new run.
  platform:
    details: Of the controller; nothing is done on the host.
requirements:
  - Python 3.11 or newer on the controller
"""

EXAMPLES = r"""
- name: Open the run
  virtperf.vhost.run_open:
    definition:
      reflect:
        cells:
          - {driver: virtio_user_packed, queues: 1, packet_size: 64}
        trials: 3
        trial_seconds: 1
    hosts: "{{ ansible_play_hosts_all }}"
  run_once: true
  register: opened

- name: Take it up again after it was interrupted
  virtperf.vhost.run_open:
    run_id: 20261120T100000Z-1a2b
    definition: "{{ definition }}"
    hosts: "{{ ansible_play_hosts_all }}"
  run_once: true
"""

RETURN = r"""
run_id:
  description: The name of the run.
  returned: success
  type: str
  sample: 20261120T100000Z-1a2b
run_dir:
  description: Its directory, as an absolute path.
  returned: success
  type: str
  sample: /home/me/results/20261120T100000Z-1a2b
resumed:
  description: Whether the run existed already.
  returned: success
  type: bool
  sample: true
done:
  description: Cells that have valid trials already.
  returned: success
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
      sample: {driver: virtio_user_packed, queues: 1, packet_size: 64}
    valid_trials:
      description: How many valid trials it has.
      type: int
      returned: success
      sample: 2
    trials:
      description: Their numbers, each once.
      type: list
      elements: int
      returned: success
      sample: [1, 3]
notes:
  description: Lines that were no records and are left out, such as one cut off by a crash.
  returned: success
  type: list
  elements: str
  sample: []
differences:
  description: In what the definition differs from that of the run which exists.
  returned: when it does
  type: list
  elements: str
  sample: ["reflect.trials: 3 -> 5"]
free_mib:
  description: How much is free in O(results_dir), in MiB.
  returned: when something could not be written
  type: float
  sample: 0.4
"""
