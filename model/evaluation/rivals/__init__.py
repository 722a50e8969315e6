"""Other projects' age models on the same pictures: fetched into the cache folder, run as they are published, as
processes of their own. Nothing of them is part of Mairror.
"""
