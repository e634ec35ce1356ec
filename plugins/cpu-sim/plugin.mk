WIDTHS_cpu-sim := any
LDLIBS_cpu-sim := -lunicorn -lcapstone
ifneq ($(JIT),no)
NEEDS += unicorn capstone
endif
