"""`python -m sso_client doctor`: what is wrong between a site, its store and its centre, and what to do about it.

Each file asks about one part; `examination` has the order, `words` what people read. Causes and cures are those of the
errors (`sso_client.error_texts`), by the same codes; what only the doctor finds is in `texts`.
"""
