WIDTHS_cpu-native := any
