"""What each kind of leak would have added to an honest score: ``bench audit``.

Every way to cheat that this project knows lives in this package, and ``mexbench.cli.audit`` alone imports it: no
ordinary run can reach one.
"""
