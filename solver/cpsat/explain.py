"""x"""
Explanation=explain=None
