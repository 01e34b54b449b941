# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter that a resumed run measures by."""

from __future__ import annotations

import inspect

import yaml

from ansible_collections.virtperf.vhost.plugins.filter.reflect_remaining import DOCUMENTATION, FilterModule

LAUNCHES = [{"vswitch": {}, "far_end": {}, "cells": [{"cell": {"queues": 1}, "asked": {}, "trials": 3}]}]


def test_what_is_done_is_left_out() -> None:
    reflect_remaining = FilterModule().filters()["reflect_remaining"]
    done = [{"host": "lab1", "study": "reflect", "cell": {"queues": 1}, "valid_trials": 2}]
    (launch,) = reflect_remaining(LAUNCHES, done, "lab1")
    assert launch["cells"][0]["trials"] == 1
    assert reflect_remaining(LAUNCHES, [{**done[0], "valid_trials": 3}], "lab1") == []


def test_what_is_done_elsewhere_is_not() -> None:
    reflect_remaining = FilterModule().filters()["reflect_remaining"]
    done = [{"host": "lab2", "study": "reflect", "cell": {"queues": 1}, "valid_trials": 3}]
    assert reflect_remaining(LAUNCHES, done, host="lab1") == LAUNCHES


def test_the_documentation_is_that_of_the_function() -> None:
    documented = yaml.safe_load(DOCUMENTATION)
    _value, *others = inspect.signature(FilterModule().filters()["reflect_remaining"]).parameters
    assert documented["positional"] == ", ".join(["_input", *others])
    assert list(documented["options"]) == ["_input", *others]
