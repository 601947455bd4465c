"""The leaderboards as a static web page: the rows of ``boards.rows``, as HTML that needs no server and no network.

Modules, from what is read to what is written:

    audits.py       results of 'bench audit' to show beside rows
    config_text.py  a row's config as YAML, and the commands that run it again
    charts.py       SVG drawings, each with a text that says the same
    pages.py        rows -> pages, by the templates beside it
    folder.py       pages -> a folder, whole or not at all
"""
