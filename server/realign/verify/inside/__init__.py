"""What runs inside a sandbox, by the standard library alone; sandbox.py mounts this folder there.

Two rooms, two processes, two sandboxes. The room of the answer (answer.py) loads it and calls what it is told to; it
sees the arguments of one call at a time, and no test and no expected value is ever sent to it. The room of the tests
(tests.py) runs them unchanged, with a stand-in for each name of the answer: a call goes out through our process to the
other room, and only plain values come back, so a lying object never reaches a comparison. room.py starts either, under
its limits; wire.py carries messages and values.
"""
