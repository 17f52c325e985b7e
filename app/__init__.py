"""Feed recommendation service: which posts should this user see now?"""
