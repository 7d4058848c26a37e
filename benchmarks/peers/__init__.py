"""Other people's single sign-on servers, asked what Lockstep is asked, in the same rounds: `make bench-peers`.

scripts/bench-peers installs them by name. `programs` holds what each of them needs to run, and knows nothing of this
project; here stands how each is started, filled and asked. None is named in the product, and none is needed for it.
"""
