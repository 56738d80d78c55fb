"""The two sides of a comparison: `cabs bench`, and a process of peers.py for each network."""
import json, os, pathlib, subprocess, tempfile
from typing import NamedTuple

here = pathlib.Path(__file__).resolve().parent
cabs = here.parent / ".build" / "release" / "cabs"

# What limits each side to an instruction set: ours oneDNN, which our own loops follow; PyTorch its loops, its oneDNN and its MKL.
limits = {
    None: ({}, {}),
    "sse41": ({"DNNL_MAX_CPU_ISA": "SSE41"},
              {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41", "MKL_ENABLE_INSTRUCTIONS": "SSE4_2"}),
    "avx2": ({"DNNL_MAX_CPU_ISA": "AVX2"},
             {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"}),
    "avx512": ({"DNNL_MAX_CPU_ISA": "AVX512_CORE"},
               {"ATEN_CPU_CAPABILITY": "avx512", "ONEDNN_MAX_CPU_ISA": "AVX512_CORE", "MKL_ENABLE_INSTRUCTIONS": "AVX512"}),
}


class Work(NamedTuple):
    """Steps of one model on one batch; `input` is the images' size where the model has no usual one."""
    model: str
    batch_size: int
    input: str | None = None

    @property
    def name(self):
        return pathlib.Path(self.model).stem


class Ours:
    """`cabs`, limited to an instruction set and a number of threads."""

    def __init__(self, instruction_set, threads):
        self.instruction_set, self.threads = instruction_set, threads
        self.environment = os.environ | limits[instruction_set][0]

    def bench(self, work, *options):
        """The lines of `cabs bench --json` for one model and batch size."""
        arguments = ["--models", work.model, "--batch-sizes", str(work.batch_size), *map(str, options)]
        if work.input:
            arguments += ["--input", work.input]
        if "--workers" not in options:
            arguments += ["--workers", str(self.threads)]
        process = subprocess.run([cabs, "bench", "--json", *arguments], env=self.environment, text=True,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if process.returncode:
            raise SystemExit(f"cabs bench {' '.join(arguments)}: {process.stderr.strip()}")
        return [json.loads(line) for line in process.stdout.splitlines() if line.startswith("{")]

    def measure(self, work, warm_up, repeats, *options):
        """The only line."""
        line, = self.bench(work, "--warm-up", warm_up, "--repeats", repeats, *options)
        return line

    def export(self, work, folder):
        """The file with the work's parameters and batch."""
        self.bench(work, "--export", folder)
        return pathlib.Path(folder) / f"{work.name}-{work.batch_size}.safetensors"

    def train(self, *arguments):
        """Runs `cabs train`; its highest resident size in bytes, or nothing where it fails, as without its data."""
        process = subprocess.Popen([cabs, "train", "--workers", str(self.threads), *map(str, arguments)],
                                   env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        return None if process.returncode else usage.ru_maxrss * 1024


class Peer:
    """A process of peers.py with one network, which waits to be told what to measure."""

    def __init__(self, python, work_file, mode, memory_format, instruction_set, threads):
        self.mode, self.format = mode, memory_format
        self.errors = tempfile.TemporaryFile("w+")
        # What torch.compile makes goes where the work file is, and no compiling process stays to wait for more.
        environment = os.environ | limits[instruction_set][1] | {
            "TORCHINDUCTOR_CACHE_DIR": str(work_file.parent / "compiled"), "TORCHINDUCTOR_COMPILE_THREADS": "1",
            "OMP_NUM_THREADS": str(threads)}
        self.process = subprocess.Popen(
            [python, here / "peers.py", work_file, "--mode", mode, "--format", memory_format, "--threads", str(threads)],
            env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors)

    def measure(self, optimizer, warm_up, repeats):
        self.process.stdin.write(json.dumps({"optimizer": optimizer, "warm_up": warm_up, "repeats": repeats}) + "\n")
        self.process.stdin.flush()
        return self.answer()

    def answer(self):
        """The next line: at first what makes the steps, as soon as the network is there, then a measurement."""
        for line in self.process.stdout:
            if line.startswith("{"):
                return json.loads(line)
        self.errors.seek(0)
        raise SystemExit(f"peers.py --mode {self.mode} --format {self.format} failed:\n{self.errors.read()[-2000:]}")

    def close(self):
        """Ends the process, where it has not ended yet."""
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()
        self.errors.close()
