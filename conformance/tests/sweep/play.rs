//! One run of one scenario: its container, pod, volume or image, and what is done to it.

use std::{fs, path::PathBuf, time::Duration};

use anyhow::{Context, Result, bail};
use conformance::{
    Response, TestHost,
    scenario::{Api, IMAGE, LIBPOD, Objects, Witness, eventually, next_folder},
};
use cri_api::v1::ImageSpec;
use serde_json::{Value, json};

use crate::{
    scenarios::{Do, Scenario, State, Subject},
    stage::{Eyes, Stage},
};

/// The containers of a pod. Names that are no hex digits: those could be ids.
const MEMBERS: [&str; 2] = ["left", "right"];
/// The name of the pod, the volume, or the only container.
const NAME: &str = "subject";
/// The memory limit of [`Do::Update`].
const UPDATED_BYTES: u64 = 64 << 20;
/// Its name in the middle of [`Do::Rename`].
const RENAMED: &str = "renamed";
/// The volume of a container that sleeps that is mounted while it runs.
const MOUNTED: &str = "mounted";
/// The volume of a container that sleeps.
const VOLUME: &str = "filled";
/// The image of the registry of [`Access::Open`](conformance::scenario::Access).
const PULLED: &str = "127.0.0.1:5000/pulled:latest";
/// A file of the image: where a folder is mounted on it, the container cannot start.
const BREAKS_AT: &str = "/etc/group";

/// One run.
#[derive(Debug)]
pub(crate) struct Play {
    subject: Subject,
    witnesses: Vec<Witness>,
    /// The bind mount that can be broken.
    source: Option<PathBuf>,
    /// A file was copied into the container.
    copied: bool,
}

impl Play {
    pub(crate) fn new(host: &TestHost, scenario: &Scenario) -> Result<Self> {
        let witnesses = match scenario.subject {
            Subject::Sleeper | Subject::Breakable => vec![Witness::new(host, NAME)?],
            Subject::Remover => vec![Witness::then(host, NAME, &until_told("exit 3"))?],
            Subject::Restarter => {
                let then = "[ -e /out/go ] && exec sleep 1000; ".to_owned() + &until_told("exit 3");
                vec![Witness::then(host, NAME, &then)?]
            }
            Subject::Pod => {
                let members = MEMBERS.map(|name| Witness::new(host, name));
                members.into_iter().collect::<Result<_>>()?
            }
            Subject::Volume | Subject::Secret | Subject::Image => Vec::new(),
        };
        let source = (scenario.subject == Subject::Breakable)
            .then(|| next_folder(host))
            .transpose()?
            .map(|dir| dir.join("source"));
        let play = Self {
            subject: scenario.subject,
            witnesses,
            source,
            copied: scenario.before.contains(&Do::CopyIn),
        };
        play.mend()?;
        Ok(play)
    }

    /// Does one step before the act: it must succeed.
    pub(crate) async fn prepare(&self, stage: &mut Stage, step: Do) -> Result<()> {
        match step {
            Do::Forget => {
                stage.kill().await?;
                fs::remove_dir_all(stage.state_dir()).context("the state folder")
            }
            Do::DieAt(point, step) => {
                let (armed, served) = stage.arm(point).await?;
                if served {
                    self.act(&stage.eyes(), *step).await.ok();
                }
                let never = async || bail!("it goes on");
                match stage.outcome(&armed, never).await?.survived {
                    true => bail!("the daemon does not pass {point}"),
                    false => Ok(()),
                }
            }
            Do::Break => self.break_source(),
            _ => {
                stage.start().await?;
                let answer = self.act(&stage.eyes(), step).await?;
                if !answer
                    .as_ref()
                    .is_none_or(|a| (200..300).contains(&a.status))
                {
                    bail!("{step:?} is answered {answer:?}");
                }
                self.ran_after(step).await
            }
        }
    }

    /// Waits until the containers that a step has started have noted their runs.
    async fn ran_after(&self, step: Do) -> Result<()> {
        if matches!(step, Do::Start | Do::AttachAndStart | Do::Restart) {
            for witness in &self.witnesses {
                witness.has_run(0).await?;
            }
        }
        Ok(())
    }

    /// Sends one request, or does what needs none. An error: the connection broke.
    pub(crate) async fn act(&self, eyes: &Eyes, step: Do) -> Result<Option<Response>> {
        let api = &eyes.api;
        let (kind, name) = match self.subject {
            Subject::Pod => ("pods", NAME),
            Subject::Volume => ("volumes", NAME),
            Subject::Secret => ("secrets", NAME),
            Subject::Image => ("images", PULLED),
            _ => ("containers", NAME),
        };
        let path = |verb: &str| format!("/{kind}/{name}/{verb}");
        let timeout = match self.subject {
            Subject::Pod => "t=0",
            _ => "timeout=0",
        };
        let answer = match step {
            Do::Create => self.create(api, kind).await?,
            Do::CreateMembers => {
                for witness in &self.witnesses {
                    let mut body = witness.body();
                    body["pod"] = json!(NAME);
                    api.create(&body).await?;
                }
                api.create(&init_container()).await?;
                return Ok(None);
            }
            Do::Start => api.post(&path("start")).await?,
            Do::Init => api.post(&path("init")).await?,
            Do::CopyIn => copy_in(api).await?,
            Do::AttachAndStart => {
                let attach = format!("{LIBPOD}{}", path("attach"));
                let upgrade = [("Connection", "Upgrade"), ("Upgrade", "tcp")];
                let attached = api.http.open("POST", &attach, &upgrade, None).await?;
                let answer = api.post(&path("start")).await?;
                drop(attached);
                answer
            }
            Do::Stop => api.post(&path(&format!("stop?{timeout}"))).await?,
            Do::Pause => api.post(&path("pause")).await?,
            Do::Unpause => api.post(&path("unpause")).await?,
            Do::Rename => rename(api).await?,
            Do::Update => {
                let path = format!("{LIBPOD}{}", path("update"));
                let body = json!({ "memory": { "limit": UPDATED_BYTES } });
                api.http.post(&path, &body).await?
            }
            Do::Restart => api.post(&path("restart?t=0&timeout=0")).await?,
            Do::Remove => api.delete(&format!("/{kind}/{name}")).await?,
            Do::ForceRemove => {
                api.delete(&format!("/{kind}/{name}?force=true&timeout=0"))
                    .await?
            }
            Do::Go => {
                self.witnesses.first().context("a witness")?.go()?;
                return Ok(None);
            }
            Do::Exec => exec(api).await?,
            Do::CheckHealth => api.get(&path("healthcheck")).await?,
            Do::Pull => {
                let path = format!("/images/pull?reference={PULLED}&policy=always&tlsVerify=false");
                let mut answer = api.post(&path).await?;
                // what goes wrong after the first byte is told in the stream
                if answer.text().contains("\"error\"") {
                    answer.status = 500;
                }
                answer
            }
            Do::StartDaemon => return Ok(None),
            Do::Break | Do::Forget | Do::DieAt(..) => bail!("{step:?} is no act"),
        };
        Ok(Some(answer))
    }

    async fn create(&self, api: &Api, kind: &str) -> Result<Response> {
        if matches!(self.subject, Subject::Sleeper) {
            let body = json!({
                "Name": MOUNTED, "IgnoreIfExists": true, "Options": { "type": "none", "device": "/srv", "o": "bind" }
            });
            let path = format!("{LIBPOD}/volumes/create");
            api.http.post(&path, &body).await?;
        }
        let body = match (self.subject, self.witnesses.first()) {
            (Subject::Secret, _) => json!("hunter2"), // its data, whatever it is
            (Subject::Pod, _) => pod(),
            (Subject::Volume, _) | (_, None) => json!({"name": NAME, "Name": NAME}),
            (_, Some(witness)) => self.container(witness),
        };
        api.http
            .post(&format!("{LIBPOD}/{kind}/create?name={NAME}"), &body)
            .await
    }

    fn container(&self, witness: &Witness) -> Value {
        let mut body = witness.body();
        match self.subject {
            // the first start fills one volume, and the other goes with the container
            Subject::Sleeper => {
                body["volumes"] = json!([
                    { "Name": VOLUME, "Dest": "/bin", "Options": ["U"] }, { "Name": MOUNTED, "Dest": "/mounted" }
                ]);
                // on the host, as all that CRI has no mounts for
                body["overlay_volumes"] = json!([{ "source": "/srv", "destination": "/over" }]);
                body["image_volumes"] = json!([{ "Source": IMAGE, "Destination": "/image" }]);
                if let Some(mounts) = body["mounts"].as_array_mut() {
                    mounts.push(json!({ "type": "tmpfs", "destination": "/home" }));
                    mounts.push(json!({ "type": "ramfs", "destination": "/ram" }));
                    let alone = ["bind"];
                    mounts.push(json!({ "type": "bind", "source": "/srv", "destination": "/alone", "options": alone }));
                }
                // checked when it is asked for
                body["healthconfig"] = json!({ "Test": ["CMD", "true"], "Retries": 1 });
                body["portmappings"] = json!([{ "host_port": 8080, "container_port": 80 }]);
            }
            Subject::Remover => {
                body["remove"] = json!(true);
                body["volumes"] = json!([{ "Dest": "/scratch", "IsAnonymous": true }]);
            }
            Subject::Restarter => {
                body["restart_policy"] = json!("on-failure");
                body["restart_tries"] = json!(5);
            }
            _ => {}
        }
        if let (Some(source), Some(mounts)) = (&self.source, body["mounts"].as_array_mut()) {
            mounts.push(json!({ "type": "bind", "source": source, "destination": BREAKS_AT }));
        }
        body
    }

    fn break_source(&self) -> Result<()> {
        let source = self.source.as_ref().context("a source")?;
        fs::remove_file(source)?;
        Ok(fs::create_dir(source)?)
    }

    /// Makes what can be broken whole.
    pub(crate) fn mend(&self) -> Result<()> {
        let Some(source) = &self.source else {
            return Ok(());
        };
        if source.is_dir() {
            fs::remove_dir(source)?;
        }
        Ok(fs::write(source, "")?)
    }

    /// Fails unless everything is in this state, in the API and at the runtime, with nothing that
    /// is doubled or left over.
    pub(crate) async fn is(&self, eyes: &Eyes, state: State) -> Result<()> {
        self.is_one_of(eyes, &[state]).await
    }

    /// The same for one of several states; a pod's containers may differ.
    pub(crate) async fn is_one_of(&self, eyes: &Eyes, states: &[State]) -> Result<()> {
        let api = &eyes.api;
        match self.subject {
            Subject::Volume => {
                let there = !api.volumes().await?.is_empty();
                among(states, if there { State::Created } else { State::Gone })
            }
            Subject::Secret => {
                let found = api.get(&format!("/secrets/{NAME}/exists")).await?;
                let there = found.status == 204;
                among(states, if there { State::Created } else { State::Gone })
            }
            Subject::Image => {
                let found = api.get(&format!("/images/{PULLED}/exists")).await?;
                let there = found.status == 204;
                among(states, if there { State::Created } else { State::Gone })
            }
            Subject::Pod => self.pod_is_one_of(eyes, states).await,
            _ => {
                // where the daemon died between there and back
                api.post(&format!("/containers/{RENAMED}/rename?name={NAME}"))
                    .await?;
                let found = self.container_is_one_of(eyes, NAME, states).await?;
                self.has_come_back(found)?;
                has_its_limit(api, found).await?;
                if self.copied && !matches!(found, State::Gone | State::Created) {
                    api.get(&format!("/containers/{NAME}/archive?path=/copied"))
                        .await?
                        .expect(200)?;
                }
                self.publishes(eyes, found)?;
                let objects = eyes.objects().await?;
                match (found, objects.sandboxes.as_slice()) {
                    (State::Gone | State::Created, []) => Ok(()),
                    (State::Running | State::Paused | State::Prepared, [one]) if one.ready => {
                        Ok(())
                    }
                    // That of the one that ran last is another.
                    (State::Initialized, all) if all.iter().any(|one| one.ready) => Ok(()),
                    (State::Exited, [one]) if !one.ready => Ok(()),
                    _ => bail!("{found:?}, and the runtime has {objects:?}"),
                }
            }
        }
    }

    /// Ports are published while their container runs, and then alone.
    fn publishes(&self, eyes: &Eyes, found: State) -> Result<()> {
        let up = matches!(found, State::Running | State::Paused | State::Initialized);
        let wanted = self.subject == Subject::Sleeper && up;
        match eyes.publishes()? {
            published if published == wanted => Ok(()),
            published => bail!("{found:?}, and its ports are published: {published}"),
        }
    }

    /// A container that its policy is to start again has run twice.
    fn has_come_back(&self, found: State) -> Result<()> {
        let runs = self.witnesses.first().map_or(0, Witness::runs);
        match self.subject == Subject::Restarter && found == State::Running && runs < 2 {
            true => bail!("it has not been started again"),
            false => Ok(()),
        }
    }

    async fn pod_is_one_of(&self, eyes: &Eyes, states: &[State]) -> Result<()> {
        let api = &eyes.api;
        let mut found = Vec::new();
        for witness in &self.witnesses {
            let name = witness.name();
            let gone = [states, &[State::Gone]].concat();
            let state = self.container_is_one_of(eyes, name, &gone).await?;
            found.push(state);
        }
        let there = api.has_pod(NAME).await?;
        let sandboxes = eyes.objects().await?.sandboxes;
        let members = found.iter().any(|state| *state != State::Gone);
        match (there, found.contains(&State::Gone)) {
            (false, _) if !members && sandboxes.is_empty() => among(states, State::Gone),
            (true, _) if !members => among(states, State::Created),
            (true, false) => {
                let ready: Vec<_> = sandboxes.iter().map(|sandbox| sandbox.ready).collect();
                found.iter().try_for_each(|state| among(states, *state))?;
                up_or_down(states, &ready)
            }
            _ => bail!("pod: {there}, containers: {found:?}, sandboxes: {sandboxes:?}"),
        }
    }

    async fn container_is_one_of(
        &self,
        eyes: &Eyes,
        name: &str,
        states: &[State],
    ) -> Result<State> {
        let api = &eyes.api;
        let listed = api.list().await?;
        let id = api.inspect(name).await?.map(|found| found["Id"].clone());
        let objects = eyes.objects().await?;
        let id = id.as_ref().and_then(Value::as_str).unwrap_or_default();
        let of = objects.containers_of(id);
        let state = match api.state(name).await?.as_deref() {
            None => State::Gone,
            Some("created") if !of.is_empty() => State::Prepared,
            Some("created" | "configured") => State::Created,
            Some("initialized") => State::Initialized,
            Some("running") => State::Running,
            Some("paused") => State::Paused,
            Some("exited") => State::Exited,
            Some(other) => bail!("{name} is {other}"),
        };
        among(states, state)?;
        let shown = |item: &&Value| !id.is_empty() && item["Id"] == id;
        if listed.iter().filter(shown).count() != usize::from(state != State::Gone) {
            bail!("{name} is {state:?} and the list shows {listed:?}");
        }
        check_objects(&objects, &listed)?;
        let fits = match (state, of.as_slice()) {
            (State::Gone | State::Created, []) => true,
            (State::Running | State::Paused, [one]) => {
                one.state == cri_api::v1::ContainerState::ContainerRunning
            }
            (State::Exited, [one]) => one.state == cri_api::v1::ContainerState::ContainerExited,
            (State::Prepared, [one]) => one.state == cri_api::v1::ContainerState::ContainerCreated,
            (State::Initialized, [one] | [one, _]) => {
                let created = cri_api::v1::ContainerState::ContainerCreated;
                one.state == created || of.last().is_some_and(|last| last.state == created)
            }
            _ => false,
        };
        match fits {
            true => Ok(state),
            false => bail!("{name} is {state:?}, and the runtime has {objects:?}"),
        }
    }

    /// Uses what is left once more, and removes it: it must be as good as if nothing had happened.
    pub(crate) async fn use_again(&self, eyes: &Eyes) -> Result<()> {
        self.mend()?;
        let api = &eyes.api;
        match self.subject {
            Subject::Volume | Subject::Secret | Subject::Image => {}
            Subject::Pod => self.use_pod(api).await?,
            _ => self.use_container(api).await?,
        }
        self.clean(eyes).await
    }

    async fn use_container(&self, api: &Api) -> Result<()> {
        let witness = self.witnesses.first().context("a witness")?;
        if api.state(NAME).await?.is_none() {
            witness.begin_anew()?;
            api.create(&self.container(witness))
                .await
                .context("its name is free")?;
        }
        start_again(api, "containers", NAME, std::slice::from_ref(witness)).await
    }

    async fn use_pod(&self, api: &Api) -> Result<()> {
        if !api.has_pod(NAME).await? {
            api.create_pod(&pod()).await?;
        }
        for witness in &self.witnesses {
            if api.state(witness.name()).await?.is_none() {
                let mut body = witness.body();
                body["pod"] = json!(NAME);
                witness.begin_anew()?;
                api.create(&body).await?;
            }
        }
        start_again(api, "pods", NAME, &self.witnesses).await
    }

    /// Removes everything, and waits until nothing is left.
    async fn clean(&self, eyes: &Eyes) -> Result<()> {
        let api = &eyes.api;
        match self.subject {
            Subject::Pod => api.remove_pod(NAME).await?,
            Subject::Volume => {
                api.delete(&format!("/volumes/{NAME}")).await?;
            }
            Subject::Secret => {
                api.delete(&format!("/secrets/{NAME}")).await?;
            }
            Subject::Image => {
                let image = ImageSpec {
                    image: PULLED.to_owned(),
                    ..ImageSpec::default()
                };
                eyes.cri.remove_image(image).await?;
            }
            Subject::Sleeper => {
                api.remove(NAME).await?;
                for volume in [VOLUME, MOUNTED] {
                    api.delete(&format!("/volumes/{volume}")).await?;
                }
            }
            _ => api.remove(NAME).await?,
        }
        eventually("everything to be gone", async || {
            eyes.objects().await?.none()?;
            let (containers, pods) = (api.list().await?, api.pods().await?);
            if !containers.is_empty() || !pods.is_empty() || !api.volumes().await?.is_empty() {
                bail!("still listed: {containers:?} {pods:?}");
            }
            for folder in ["containers", "pods", "volumes"] {
                let dir = eyes.state_dir.join(folder);
                if fs::read_dir(&dir)?.next().is_some() {
                    bail!("{} is not empty", dir.display());
                }
            }
            Ok(())
        })
        .await
    }
}

/// A pod with all that is made on the host for a whole one.
fn pod() -> Value {
    json!({
        "name": NAME, "shm_size": 1_000_000, "resource_limits": { "cpu": { "shares": 512 } },
        "volumes": [{ "Dest": "/shared" }]
    })
}

/// It runs at the first start of the pod, and is removed.
fn init_container() -> Value {
    json!({
        "name": format!("{NAME}-init"), "pod": NAME, "image": IMAGE, "command": ["true"], "init_container_type": "once"
    })
}

/// Starts what may run already; then each container has run once more than before, or still runs,
/// and has what it wrote.
async fn start_again(api: &Api, kind: &str, name: &str, witnesses: &[Witness]) -> Result<()> {
    let before: Vec<_> = witnesses.iter().map(Witness::runs).collect();
    let mut ran = Vec::new();
    for witness in witnesses {
        if api.state(witness.name()).await?.as_deref() == Some("paused") {
            api.post(&format!("/containers/{}/unpause", witness.name()))
                .await?;
        }
        ran.push(api.state(witness.name()).await?.as_deref() == Some("running"));
    }
    let answer = api.post(&format!("/{kind}/{name}/start")).await?;
    if !matches!(answer.status, 200 | 204 | 304) {
        bail!("cannot be started: {} {}", answer.status, answer.text());
    }
    for ((witness, before), ran) in witnesses.iter().zip(before).zip(ran) {
        // one that ran may not have come to note it yet
        let more_than = if ran {
            before.saturating_sub(1)
        } else {
            before
        };
        witness.has_run(more_than).await?;
        match api.state(witness.name()).await?.as_deref() {
            Some("running") => {}
            other => bail!("{} was started and is {other:?}", witness.name()),
        }
    }
    Ok(())
}

fn until_told(then: &str) -> String {
    format!("while [ ! -e /out/go ]; do sleep 0.02; done; {then}")
}

fn among(states: &[State], state: State) -> Result<()> {
    match states.contains(&state) {
        true => Ok(()),
        false => bail!("{state:?} instead of {states:?}"),
    }
}

/// A pod's sandbox is up exactly when that is all its containers can mean.
fn up_or_down(states: &[State], ready: &[bool]) -> Result<()> {
    let fits = match states {
        [State::Running] => ready == [true],
        [State::Exited] => !ready.contains(&true),
        [State::Created] => ready.is_empty(),
        _ => true,
    };
    match fits {
        true => Ok(()),
        false => bail!("{states:?}, and its sandboxes are up: {ready:?}"),
    }
}

fn check_objects(objects: &Objects, listed: &[Value]) -> Result<()> {
    let shown: Vec<String> = listed
        .iter()
        .filter_map(|item| item["Id"].as_str().map(ToOwned::to_owned))
        .collect();
    objects.no_doubles(&shown)
}

/// Runs a command in the container that nobody attaches to, and waits for its end.
async fn exec(api: &Api) -> Result<Response> {
    let body = json!({ "Cmd": ["sh", "-c", "exit 3"] });
    let path = format!("{LIBPOD}/containers/{NAME}/exec");
    let made = api.http.post(&path, &body).await?.expect(201)?.json();
    let path = format!("/exec/{}", made["Id"].as_str().context("an Id")?);
    let start = format!("{LIBPOD}{path}/start");
    let answer = api.http.post(&start, &json!({ "Detach": true })).await?;
    // A daemon that is dead is an answer, and not to be waited for.
    for _ in 0..400 {
        let state = api.get(&format!("{path}/json")).await?.json();
        if state["ExitCode"] == 3 {
            return Ok(answer);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    bail!("the command does not end")
}

/// An archive with one empty file.
async fn copy_in(api: &Api) -> Result<Response> {
    let mut header = tar::Header::new_ustar();
    header.set_path("copied")?;
    header.set_size(0);
    header.set_mode(0o600);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(1_000_000_000);
    header.set_cksum();
    let mut archive = tar::Builder::new(Vec::new());
    archive.append(&header, std::io::empty())?;
    let (path, archive) = (
        format!("{LIBPOD}/containers/{NAME}/archive?path=/"),
        archive.into_inner()?,
    );
    let headers = [("Content-Type", "application/x-tar")];
    api.http.send("PUT", &path, &headers, Some(&archive)).await
}

/// There and back: it is looked for under its name.
async fn rename(api: &Api) -> Result<Response> {
    let there = api
        .post(&format!("/containers/{NAME}/rename?name={RENAMED}"))
        .await?;
    match there.status {
        204 => {
            api.post(&format!("/containers/{RENAMED}/rename?name={NAME}"))
                .await
        }
        _ => Ok(there),
    }
}

/// The limit that is asked for is the one that holds.
async fn has_its_limit(api: &Api, found: State) -> Result<()> {
    if found != State::Running {
        return Ok(());
    }
    let inspected = api.inspect(NAME).await?.context("it runs")?;
    let asked = inspected["HostConfig"]["Memory"] == json!(UPDATED_BYTES);
    let pid = inspected["State"]["Pid"].as_u64().context("its pid")?;
    let holds = memory_limit(pid)?;
    match asked == (holds == UPDATED_BYTES.to_string()) {
        true => Ok(()),
        false => bail!("asked for: {asked}, and the cgroup says {holds}"),
    }
}

/// What the cgroup of a process has as limit of memory, in bytes: v1's file or v2's.
fn memory_limit(pid: u64) -> Result<String> {
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup"))?;
    let file = groups.lines().find_map(|line| {
        let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
        let v1 = controllers.split(',').any(|name| name == "memory");
        v1.then(|| format!("/sys/fs/cgroup/memory{path}/memory.limit_in_bytes"))
    });
    let unified = || {
        let path = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
        Some(format!("/sys/fs/cgroup{path}/memory.max"))
    };
    let file = file.or_else(unified).context("a cgroup of memory")?;
    let limit = fs::read_to_string(&file).with_context(|| file)?;
    Ok(limit.trim().to_owned())
}
