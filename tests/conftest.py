"""Settings for all tests: the profiles of Hypothesis, chosen by HYPOTHESIS_PROFILE."""

import os

from hypothesis import HealthCheck, settings

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]

settings.register_profile("default", deadline=None, derandomize=False, max_examples=60, suppress_health_check=SLOW)
# A change is judged by the same examples each time; new ones are looked for where somebody can look at what is found.
settings.register_profile("ci", settings.get_profile("default"), print_blob=True, derandomize=True, database=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "default"))
