"""Review: what somebody else's data set is worth, subset by subset, before anything of it is taken in.

A folder as hubs lay it out is read with its cards; nothing is fetched and nothing in it is changed. Of every
subset the room says which licence is stated where and what that permits, which languages are in it, which
rules of quality it breaks, what it repeats, what of it we have already or will be asked in an evaluation, and
how much personal data it holds. Each of these can lower a verdict, and none can raise one.

The rules are those of `rights` and `curate`; `bounds.csv` says from where on a finding counts.
"""
