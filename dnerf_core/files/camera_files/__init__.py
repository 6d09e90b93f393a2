"""Files of cameras, as this program and others write them: a module a format, and a registry that knows a file by what it holds."""
