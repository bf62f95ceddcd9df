"""Steps from an empty database to the tables of this version. They travel with the package and run when it is opened.

A step that was released is never changed; another one follows it.
"""

HEAD = "0002"  # the newest step; a test compares it with the files
VERSION_TABLE = "stillwatch_version"
