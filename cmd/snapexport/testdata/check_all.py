"""Run the acceptance cases' own checker (check.py of the dataset) over many tables in one process.

usage: check_all.py DATASET_DIR RUNS.json     RUNS is [{"case": ..., "table": ...}]; prints [{"case", "status", "output"}]
"""
import contextlib, importlib.util, io, json, os, sys

dataset, runs = sys.argv[1], json.load(open(sys.argv[2], encoding='utf-8'))
spec = importlib.util.spec_from_file_location('check', os.path.join(dataset, 'check.py'))
check = importlib.util.module_from_spec(spec)
spec.loader.exec_module(check)
results = []
for run in runs:
    text = io.StringIO()
    sys.argv = ['check.py', dataset, run['table'], '--case', run['case'], '--field-ids']
    with contextlib.redirect_stdout(text), contextlib.redirect_stderr(text):
        try:
            status = check.main()
        except Exception as error:
            status = 2
            print(repr(error))
    results.append({'case': run['case'], 'status': status, 'output': text.getvalue()})
json.dump(results, sys.stdout)
