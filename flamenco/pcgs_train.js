// SPDX-License-Identifier: GPL-3.0-or-later
// Flamenco job type: posed photographs in, one scene.pcgs with its levels out.
// Two tasks on any worker: train (goes on where a requeued one stopped), encode (measures the levels).
// docs/farms.md says how to install it and what the workers need.

const JOB_TYPE = {
    label: "PCGS: Train Splats",
    description: "Fit Gaussian splats to posed photographs and write one progressive .pcgs file",
    settings: [
        { key: "images", type: "string", subtype: "dir_path", required: true,
          description: "Folder with transforms.json, or COLMAP's images/ and sparse/0/, on the shared storage" },
        { key: "result", type: "string", subtype: "file_path", required: true,
          description: "The .pcgs file to write, on the shared storage" },
        { key: "preset", type: "string", required: true, choices: ["preview", "standard", "high"], default: "standard",
          description: "preview: minutes on a CPU; standard: a quarter of an hour on a GPU; high: the paper's sizes" },
        { key: "device", type: "string", required: true, choices: ["auto", "cuda", "cpu"], default: "auto",
          description: "cuda: the task fails on a worker whose GPU cannot train" },
        { key: "iterations", type: "int32", default: 0, description: "Training steps; 0: the preset's" },
        { key: "max_size", type: "int32", default: 0, description: "Longer image side in pixels; 0: the preset's" },
        { key: "levels", type: "int32", default: 0, description: "Levels of the file; 0: the preset's" },
        { key: "time_limit", type: "float", default: 0.0,
          description: "Minutes of training, the schedule is compressed to fit; 0: no limit" },
        { key: "measure", type: "bool", default: true, description: "Measure every level on held-out images; the file keeps the figures" },
        // {pcgs} is a variable of the Manager: the engine's command on each platform.
        { key: "pcgs", type: "string", default: "{pcgs}", visible: "web" },
    ],
};

function compileJob(job) {
    const settings = job.settings;
    const run = runFolder(settings.result);
    const train = engineTask("train", settings, trainArguments(settings, run));
    const encode = engineTask("encode", settings, encodeArguments(settings, run));
    encode.addDependency(train);
    job.addTask(train);
    job.addTask(encode);
}

// The run lies beside the result, so that a task that is done again finds its checkpoint.
function runFolder(result) {
    return result.replace(/\.pcgs$/i, "") + "_run";
}

function trainArguments(settings, run) {
    const found = [
        "train", settings.images, "--out", run, "--preset", settings.preset, "--device", settings.device,
        "--resume", "--progress", "lines",
    ];
    const optional = {
        "--iterations": settings.iterations,
        "--max-size": settings.max_size,
        "--levels": settings.levels,
        "--time-limit": settings.time_limit,
    };
    for (const name in optional) {
        if (optional[name] > 0) found.push(name, String(optional[name]));
    }
    return found;
}

function encodeArguments(settings, run) {
    const found = ["encode", run, "--out", settings.result, "--device", settings.device, "--progress", "lines"];
    if (!settings.measure) found.push("--no-quality");
    return found;
}

function engineTask(name, settings, args) {
    const task = author.Task(name, "misc");
    task.addCommand(author.Command("exec", { exe: settings.pcgs, args: args }));
    return task;
}
