"""PHP source that we write is what PHP itself writes and reads."""

import json
import subprocess

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provision.errors import UnexpectedContent
from provision.php import config_file, export

# No key that PHP would make an integer: JSON has none, so they do not come back as they went.
keys = st.text(st.characters(blacklist_categories=("Cs",)), min_size=1, max_size=8).filter(
    lambda key: not key.strip("-").isdigit()
)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.text(st.characters(blacklist_categories=("Cs",)), max_size=12)
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3)
        | st.dictionaries(keys, inner, min_size=1, max_size=3)
    ),
    max_leaves=8,
)


def php_says(php: str, program: str, given: str) -> str:
    done = subprocess.run([php, "-r", program], input=given.encode(), capture_output=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode()


@settings(max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(values, min_size=30, max_size=60))
def test_php_reads_back_what_was_written(php, batch):
    program = "echo json_encode(eval(substr(stream_get_contents(STDIN), 5)), 320);"
    assert json.loads(php_says(php, program, config_file(batch))) == batch


@settings(max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(values, min_size=30, max_size=60))
def test_the_layout_is_that_of_var_export(php, batch):
    program = "var_export(json_decode(stream_get_contents(STDIN), true));"
    assert export(batch) == php_says(php, program, json.dumps(batch))


@pytest.mark.parametrize("number", [0.0, -1.5, 1e300, 1e-7, 123456789.125])
def test_floats_stay_floats(php, number):
    program = "echo json_encode(eval(substr(stream_get_contents(STDIN), 5)), 1024);"
    back = json.loads(php_says(php, program, config_file(number)))
    assert isinstance(back, float)
    assert back == number


def test_keys_that_php_counts_by_are_integers():
    assert export({"1194": True}) == "array (\n  1194 => true,\n)"


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, float("inf"), float("nan")])
def test_what_php_has_no_literal_for_is_refused(value):
    with pytest.raises(UnexpectedContent):
        export(value)
