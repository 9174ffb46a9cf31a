"""RLVR: tasks with an answer that a program can check, rollouts of each, and the verifier's word on every one.

tasks.py     passages (or rows of a dataset) -> prompts with tasks; the closed forms are in forms/, one file a kind
rollouts.py  at least eight answers a task: sampled from a model, or by the overlap reader of reader.py
verify.py    the verifier on every rollout, on the reference and other right forms, and on planted wrong ones, twice
select.py    tasks that are neither too hard nor too easy, and a pair of a right and a wrong rollout of each
"""
