"""The leaderboards as a static web page: the rows of ``boards.rows``, as HTML that needs no server and no network.

Modules, from what is read to what is written:

    audits.py, stress_tests.py  results of 'bench audit' to show beside rows
    paper_tables.py             results of 'bench papers'
    config_text.py              a row's config as YAML, and the commands that run it again
    plugins.py, links.py        what rows are made of; addresses in texts as links
    board_charts.py             the drawings of a board, which stand alone as files too:
                                leak_chart.py and strip.py, and those of its markdown page
    charts.py                   drawings of a row, each with a text that says the same
    recalls.py, downloads.py    tables, and files that a page carries itself
    state_page.py               the state of the art
    pages.py                    rows -> pages, by the templates beside it
    folder.py                   pages -> a folder, whole or not at all
"""
