// Compiles the job type as Flamenco's Manager does, and prints its tasks as JSON.
// node compile_job.mjs pcgs_train.js '{"setting": value, ...}'
import fs from "node:fs";
import vm from "node:vm";

const [path, text] = process.argv.slice(2);
const tasks = [];
const author = {
    Task: (name, type) => ({
        name, type, commands: [], dependencies: [],
        addCommand(command) { this.commands.push(command); },
        addDependency(task) { this.dependencies.push(task.name); },
    }),
    Command: (name, parameters) => ({ name, parameters }),
};
const context = vm.createContext({ author });
vm.runInContext(fs.readFileSync(path, "utf8") + "\nthis.JOB_TYPE = JOB_TYPE;", context);
const settings = {};
for (const setting of context.JOB_TYPE.settings) settings[setting.key] = setting.default;
Object.assign(settings, JSON.parse(text));
context.compileJob({ settings, addTask: (task) => tasks.push(task) });
console.log(JSON.stringify({ type: context.JOB_TYPE, tasks }));
