def check_machine(packages):
    raise NotImplementedError
