"""What a run was measured on."""
import datetime, os, pathlib, platform, re, subprocess


def processor():
    """The processor's name, with the numbers that tell apart what virtual machines call by one name."""
    try:
        text = pathlib.Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or platform.machine()
    fields = dict(re.findall(r"^(model name|cpu family|model)\s*: (.*)$", text, re.MULTILINE))
    if "model name" not in fields:
        return platform.machine()
    return f"{fields['model name']} (family {fields.get('cpu family')}, model {fields.get('model')})"


def instruction_set(line):
    """The instruction set of a line of `cabs bench --json`."""
    return line["instruction_set"]


def git(*arguments):
    return subprocess.run(["git", *arguments], cwd=pathlib.Path(__file__).parent, text=True, check=True,
                          stdout=subprocess.PIPE).stdout.strip()


def description(line, cores):
    """Machine and versions, `line` being any line of `cabs bench --json --roofline`."""
    return {
        "date": datetime.date.today().isoformat(), "commit": git("rev-parse", "HEAD"),
        "uncommitted_changes": bool(git("status", "--porcelain", "--untracked-files=no")),
        "processor": processor(), "instruction_set": instruction_set(line), "cores": cores, "onednn": line["onednn"],
        "matrix_product_gigaflops": line["roofline_gigaflops"], "load_average_before": os.getloadavg()[0],
    }


def file_name(run):
    """Where a run's results belong: one file for each processor and instruction set."""
    words = re.sub(r"[^a-z0-9]+", "-", run["processor"].lower()).strip("-")
    return f"{'quick-' if run['quick'] else ''}{words}-{run['instruction_set']}.json"
