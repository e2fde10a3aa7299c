//! What came of a run.

use std::fmt;

/// What came of one case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It holds.
    Holds,
    /// The gap it names is as it says.
    Gap(String),
    /// It does not apply to this target.
    Skipped(String),
    /// It does not hold: the request, and each problem.
    Fails(Vec<String>),
}

/// What came of all cases on one target.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// The target.
    pub target: String,
    /// Each case: id, source, outcome.
    pub outcomes: Vec<(String, String, Outcome)>,
    /// What is wrong beside the cases: objects left behind.
    pub problems: Vec<String>,
}

impl Report {
    /// Whether everything holds.
    pub fn is_good(&self) -> bool {
        self.problems.is_empty() && self.count(|outcome| matches!(outcome, Outcome::Fails(_))) == 0
    }

    /// How many cases came out so.
    pub fn count(&self, is: impl Fn(&Outcome) -> bool) -> usize {
        self.outcomes
            .iter()
            .filter(|(_, _, outcome)| is(outcome))
            .count()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (id, source, outcome) in &self.outcomes {
            if let Outcome::Fails(problems) = outcome {
                writeln!(f, "FAILS  {id}   [{source}]")?;
                for problem in problems {
                    writeln!(f, "         {problem}")?;
                }
            }
        }
        for problem in &self.problems {
            writeln!(f, "PROBLEM {problem}")?;
        }
        for (id, _, outcome) in &self.outcomes {
            match outcome {
                Outcome::Gap(why) => writeln!(f, "gap     {id}: {why}")?,
                Outcome::Skipped(why) => writeln!(f, "skipped {id}: {why}")?,
                Outcome::Holds | Outcome::Fails(_) => {}
            }
        }
        write!(
            f,
            "{}: {} cases: {} hold, {} fail, {} gaps as described, {} do not apply",
            self.target,
            self.outcomes.len(),
            self.count(|o| matches!(o, Outcome::Holds)),
            self.count(|o| matches!(o, Outcome::Fails(_))),
            self.count(|o| matches!(o, Outcome::Gap(_))),
            self.count(|o| matches!(o, Outcome::Skipped(_))),
        )
    }
}
