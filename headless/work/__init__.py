"""What every job needs: messages, threads, the end by a signal, the folder of results, and facts of the machine."""
