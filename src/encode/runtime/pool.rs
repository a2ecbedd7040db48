//! Sessions of one model, shared by many threads.

use std::path::Path;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use ort::session::{Session, SessionInputValue, builder::GraphOptimizationLevel};
use ort::value::{TensorElementType, TensorRef, ValueType};

use super::super::error::{EncodeError, ModelError};
use super::super::stamp::ModelFileStamp;
use super::environment;
use super::lacking::lacking;

/// The element types of encoders' inputs and outputs; other types are kept by name only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ElementType {
    F32,
    I64,
    I32,
    Other(String),
}

/// An input or output that the graph declares. A dimension that varies is -1; an unknown rank
/// appears as an empty shape.
#[derive(Debug, Clone)]
pub(crate) struct EncoderPort {
    pub name: String,
    pub element: ElementType,
    pub shape: Vec<i64>,
}

/// An input tensor of a run: its name, shape and values in row-major order.
pub(crate) enum InputTensor<'a> {
    F32(&'a str, [usize; 4], &'a [f32]),
    I64(&'a str, [usize; 2], &'a [i64]),
    I32(&'a str, [usize; 2], &'a [i32]),
}

/// A session and a buffer that its runs reuse.
pub(crate) struct SessionSlot {
    session: Session,
    /// Buffer for a batch's input; reused so that its pages stay mapped.
    pub scratch: Vec<f32>,
}

/// A model loaded `sessions` times; [`with`](Self::with) waits for a free one.
pub(crate) struct SessionPool {
    name: String,
    pub inputs: Vec<EncoderPort>,
    pub outputs: Vec<EncoderPort>,
    free: Mutex<Vec<SessionSlot>>,
    returned: Condvar,
    /// Weight files that ONNX Runtime maps and may read at any run.
    mapped: Vec<ModelFileStamp>,
}

/// The error for a model at `path` that ONNX Runtime could not load, from its message.
fn refused(path: &Path, said: &str) -> ModelError {
    // If the process is out of files, threads or memory, the model is not at fault.
    match lacking(path, said) {
        Some(error) => ModelError::Io(error),
        None => ModelError::Graph {
            path: path.to_owned(),
            reason: format!("ONNX Runtime cannot load it: {said}; export the model again"),
        },
    }
}

impl SessionPool {
    /// Loads the model at `path` into `sessions` sessions of `threads` threads each.
    pub fn open(
        name: &str,
        path: &Path,
        sessions: usize,
        threads: usize,
    ) -> Result<Self, ModelError> {
        let environment = environment()?;
        // Without a session `with` would wait for ever.
        let sessions = sessions.max(1);
        let start = || -> Result<Session, String> {
            Session::builder(environment)
                .map_err(|e| e.to_string())?
                .with_optimization_level(GraphOptimizationLevel::All)
                .map_err(|e| e.to_string())?
                .with_intra_threads(threads.max(1))
                .map_err(|e| e.to_string())?
                // Spinning threads would take the cores from decoding threads.
                .with_intra_op_spinning(sessions == 1)
                .map_err(|e| e.to_string())?
                .commit_from_file(path)
                .map_err(|e| e.to_string())
        };
        let mut slots = Vec::with_capacity(sessions);
        for _ in 0..sessions {
            let session = start().map_err(|said| refused(path, &said))?;
            slots.push(SessionSlot {
                session,
                scratch: Vec::new(),
            });
        }
        let (inputs, outputs) = match slots.first() {
            Some(slot) => (ports(slot.session.inputs()), ports(slot.session.outputs())),
            None => (Vec::new(), Vec::new()),
        };
        Ok(Self {
            name: name.to_owned(),
            inputs,
            outputs,
            free: Mutex::new(slots),
            returned: Condvar::new(),
            mapped: Vec::new(),
        })
    }

    /// Makes runs fail once one of `files`, which hold the weights, has changed.
    pub(crate) fn watch(&mut self, files: Vec<ModelFileStamp>) {
        self.mapped = files;
    }

    /// The encoder's name, for messages.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Runs `work` with a free session, waiting for one while all are in use.
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut SessionSlot) -> R) -> R {
        // Before the lock, so that the guard returns the slot also when `work` panics.
        let mut lent = SessionGuard {
            pool: self,
            slot: None,
        };
        let mut free = self.lock();
        let slot = loop {
            match free.pop() {
                Some(slot) => break slot,
                None => {
                    free = self
                        .returned
                        .wait(free)
                        // The list is whole after a panic elsewhere, for no work runs under the lock.
                        .unwrap_or_else(PoisonError::into_inner);
                }
            }
        };
        // The lock is held only to take a session, never during a run.
        drop(free);
        work(lent.slot.insert(slot))
    }

    /// Runs the model and hands `output`'s shape and values to `read`.
    pub(crate) fn run<R>(
        &self,
        slot: &mut Session,
        feeds: &[InputTensor<'_>],
        output: &str,
        read: impl FnOnce(&[i64], &[f32]) -> Result<R, EncodeError>,
    ) -> Result<R, EncodeError> {
        // Mapped weights that changed would give vectors of a model that never existed.
        if let Some(changed) = self.mapped.iter().find(|stamp| stamp.changed()) {
            return Err(EncodeError::WeightsChanged {
                model: self.name.clone(),
                path: changed.path().to_owned(),
            });
        }
        let failed = |e: ort::Error| EncodeError::Run {
            model: self.name.clone(),
            reason: e.to_string(),
        };
        let mut inputs: Vec<(&str, SessionInputValue<'_>)> = Vec::with_capacity(feeds.len());
        for feed in feeds {
            inputs.push(match *feed {
                InputTensor::F32(name, shape, data) => (
                    name,
                    TensorRef::from_array_view((shape, data))
                        .map_err(failed)?
                        .into(),
                ),
                InputTensor::I64(name, shape, data) => (
                    name,
                    TensorRef::from_array_view((shape, data))
                        .map_err(failed)?
                        .into(),
                ),
                InputTensor::I32(name, shape, data) => (
                    name,
                    TensorRef::from_array_view((shape, data))
                        .map_err(failed)?
                        .into(),
                ),
            });
        }
        let outputs = slot.run(inputs).map_err(failed)?;
        let value = outputs.get(output).ok_or_else(|| EncodeError::Run {
            model: self.name.clone(),
            reason: format!("there is no output `{output}`"),
        })?;
        let (shape, data) = value.try_extract_tensor::<f32>().map_err(failed)?;
        read(shape, data)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<SessionSlot>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for SessionPool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionPool")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl SessionSlot {
    /// Borrows both parts, so that a run can read the buffer while it uses the session.
    pub(crate) fn parts(&mut self) -> (&mut Session, &mut Vec<f32>) {
        (&mut self.session, &mut self.scratch)
    }
}

/// Returns the slot to the pool on drop, even when the work panics.
struct SessionGuard<'a> {
    pool: &'a SessionPool,
    slot: Option<SessionSlot>,
}

impl Drop for SessionGuard<'_> {
    fn drop(&mut self) {
        if let Some(slot) = self.slot.take() {
            self.pool.lock().push(slot);
            self.pool.returned.notify_one();
        }
    }
}

fn ports(outlets: &[ort::value::Outlet]) -> Vec<EncoderPort> {
    outlets
        .iter()
        .map(|outlet| {
            let (element, shape) = match outlet.dtype() {
                ValueType::Tensor { ty, shape, .. } => {
                    let element = match ty {
                        TensorElementType::Float32 => ElementType::F32,
                        TensorElementType::Int64 => ElementType::I64,
                        TensorElementType::Int32 => ElementType::I32,
                        other => ElementType::Other(format!("{other:?}").to_lowercase()),
                    };
                    (element, shape.to_vec())
                }
                other => (ElementType::Other(format!("{other:?}")), Vec::new()),
            };
            EncoderPort {
                name: outlet.name().to_owned(),
                element,
                shape,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_at_its_limits_is_not_the_models_fault() {
        let path = Path::new("model.onnx");
        for said in [
            "Load model from model.onnx failed:system error number 24",
            "env.cc:327 PosixThread pthread_create failed, error code: 11 error msg: ...",
            "Load model from model.onnx failed:system error number 12",
            "Exception during initialization: std::bad_alloc",
        ] {
            let ModelError::Io(error) = refused(path, said) else {
                panic!("taken for a broken model");
            };
            assert!(crate::disk::is_exhausted(&error), "{error}");
            let plain = error.to_string();
            assert!(
                crate::disk::in_words(&plain).contains("(`ulimit -"),
                "{plain}"
            );
        }
        // Another number is the model's: here that it is a folder.
        let said = "Load model from model.onnx failed:system error number 21";
        assert!(matches!(refused(path, said), ModelError::Graph { .. }));
    }
}
