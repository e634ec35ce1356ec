LDLIBS_prims-terminal := -ledit
NEEDS += edit
