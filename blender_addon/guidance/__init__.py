"""What helps to find the way: menus with everything, the guide, and the tip of what comes next."""
