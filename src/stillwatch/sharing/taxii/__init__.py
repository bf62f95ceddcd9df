"""A TAXII 2.1 server without its sockets: what is stored, who sees what, and what each endpoint answers.

An object is kept as the bytes in which it came. `apps.taxii` puts this behind HTTP.
"""
