# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ApacheBench: what is asked of it, and what is made of its words."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.traffic import ab

# Of ab 2.3 (apache2-utils 2.4).
REPORT = """This is ApacheBench, Version 2.3 <$Revision$>
Server Software:        nginx/1.26.3
Concurrency Level:      4
Time taken for tests:   2.001 seconds
Complete requests:      62583
Failed requests:        {failed}
Keep-Alive requests:    62583
{more}Total transferred:      79042329 bytes
Requests per second:    31275.72 [#/sec] (mean)
Time per request:       0.128 [ms] (mean)
-- percentiles --
Percentage served,Time in ms
0,0.019
1,0.052
50,0.101
99,1.021
100,26.860
"""


def test_percentiles_have_the_digits_that_its_table_lacks() -> None:
    found = ab.parse(REPORT.format(failed=0, more=""))
    assert found == ab.Result(31275.72, 62583, pytest.approx(101.0), pytest.approx(1021.0))


@pytest.mark.parametrize(
    ("text", "errors", "message"),
    [
        ("", "apr_socket_recv: Connection refused (111)", "ab gave no result .*Connection refused"),
        ("", "", "no output at all"),
        (REPORT.partition("--")[0], "", "ab gave no result"),
        (REPORT.format(failed=3, more=""), "", "3 of 62583 requests failed"),
        (REPORT.format(failed=0, more="Non-2xx responses:      62583\n"), "", "62583 of 62583 answers were not those"),
        (REPORT.replace("62583", "0").format(failed=0, more=""), "", "ab gave no result"),
    ],
)
def test_what_is_no_result(text: str, errors: str, message: str) -> None:
    with pytest.raises(VirtperfError, match=message):
        ab.parse(text, errors)


def test_the_table_comes_behind_the_rest(tmp_path: Path) -> None:
    program = tmp_path / "ab"
    program.write_text(
        '#!/bin/sh\necho "Complete requests: 1"; echo "Requests per second: 2.0"\n'
        'while [ "$1" != -e ]; do shift; done; printf "50,1.5\\n99,2.5\\n" >"$2"\n'
    )
    program.chmod(0o755)
    words = ab.words("http://198.19.1.1:80/", 3, 4, str(tmp_path / "x.csv"))
    done = subprocess.run(words, capture_output=True, text=True, env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, check=True)
    assert ab.parse(done.stdout) == ab.Result(2.0, 1, 1500.0, 2500.0)
    assert words[-1] == "http://198.19.1.1:80/"
    assert words[words.index("-t") + 1] == "3"


def test_one_that_fails_leaves_its_status(tmp_path: Path) -> None:
    program = tmp_path / "ab"
    program.write_text("#!/bin/sh\necho refused >&2; exit 111\n")
    program.chmod(0o755)
    words = ab.words("http://198.19.1.1/", 1, 1, str(tmp_path / "x.csv"))
    done = subprocess.run(words, capture_output=True, text=True, env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, check=False)
    assert done.returncode == 111
