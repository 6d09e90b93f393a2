"""What a CUDA device would have to be waited for, copied to and told, found without one."""
