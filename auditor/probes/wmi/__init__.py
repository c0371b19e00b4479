"""The second way to ask: WMI over WS-Management. What a section asks for, and how the instances become the probe's rows. Pure.

A section is a generator: it yields questions (`questions`), is sent their answers, and fills a sheet. Whoever has a connection
drives it. Nothing is started on the host, no file is opened: what only a file's content can tell stays unknown, with its reason.
"""
