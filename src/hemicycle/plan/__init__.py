"""Plan: what a model will cost before it is made, where and when it can be made, and whether it does.

Everything rests on published runs (`runs.csv`): how much of a chip's peak they reached, what they drew, what
share of a project they were. A figure is told with what is expected, how low and how high it may come, and
what it rests on. The room knows declared sizes, sites and programmes; of a training it reads the log, as
anybody may.
"""
