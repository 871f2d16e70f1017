//! jq filters over JSON bodies, by the crate `jaq`, made safe to run when others wrote them.
//!
//! A filter asks and does not compute, so that it ends: it has paths, comparisons, arithmetic, conditions, `as`, and those
//! functions of jq in [`FUNCTIONS`]. Not among them is whatever makes much out of little or goes on by itself (`def`,
//! `reduce`, `foreach`, `range`, `repeat`, `recurse(f)`, `limit`), changes a value (`|=`), or reaches out of the body (`env`,
//! `input`, `debug`). What is left cannot recurse deeper than the filter and the body are, but it may still multiply, so
//! every part of it is metered: when [`STEPS`] are used up, or [`TIME`], the filter is given up.

use std::cell::Cell;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jaq_core::box_iter::box_once;
use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Def, Pattern, Term};
use jaq_core::load::{self, Arena, File, Lexer, Loader, Parser};
use jaq_core::ops::Math;
use jaq_core::path::{Part, Path};
use jaq_core::{Compiler, Ctx, Error, Exn, Native, Vars, data, native, unwrap_valr};
use jaq_json::Val;

use super::judge::cut;
use super::text::pattern;

/// Steps that a filter may take: values that it makes or passes on, each counted with all that is in it.
///
/// Unit tests have fewer, as they are not optimised; the program's own number is tried in `tests/it`.
const STEPS: usize = if cfg!(test) { 100_000 } else { 4_000_000 };

/// Time that a filter may take.
const TIME: Duration = Duration::from_secs(5);

/// The longest filter, in bytes, and the deepest nesting of its brackets: its parser recurses.
const LENGTH_LIMIT: usize = 1024;
const DEPTH_LIMIT: usize = 32;

/// The functions that a filter may call.
pub(super) const FUNCTIONS: [&str; 66] = [
    "abs",
    "add",
    "all",
    "any",
    "arrays",
    "ascii_downcase",
    "ascii_upcase",
    "booleans",
    "ceil",
    "contains",
    "empty",
    "endswith",
    "error",
    "false",
    "first",
    "flatten",
    "floor",
    "from_entries",
    "group_by",
    "has",
    "isarray",
    "isboolean",
    "isempty",
    "isnumber",
    "isobject",
    "isstring",
    "iterables",
    "join",
    "keys",
    "keys_unsorted",
    "last",
    "length",
    "ltrim",
    "ltrimstr",
    "map",
    "max",
    "max_by",
    "min",
    "min_by",
    "not",
    "nth",
    "null",
    "nulls",
    "numbers",
    "objects",
    "reverse",
    "round",
    "rtrim",
    "rtrimstr",
    "scalars",
    "select",
    "sort",
    "sort_by",
    "split",
    "startswith",
    "strings",
    "test",
    "to_entries",
    "tonumber",
    "tostring",
    "trim",
    "true",
    "type",
    "unique",
    "unique_by",
    "values",
];

/// What filters work on.
type Data = data::JustLut<Val>;

/// A compiled filter.
#[derive(Clone)]
pub(super) struct Filter(Arc<jaq_core::Filter<Data>>);

impl std::fmt::Debug for Filter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Filter")
    }
}

/// A filter that is wrong, or does what it may not.
pub(super) struct Wrong {
    /// Where, in the text of the filter.
    pub(super) at: Range<usize>,
    pub(super) message: String,
}

/// Where the filter that `text` begins with ends: before the first `;` that is neither in a string nor in brackets.
pub(super) fn end(text: &str) -> usize {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            b';' if depth == 0 => return at,
            _ => {}
        }
    }
    text.len()
}

impl Filter {
    pub(super) fn compile(text: &str) -> Result<Self, Wrong> {
        let wrong = |at, message: String| Wrong { at, message };
        if text.len() > LENGTH_LIMIT {
            return Err(wrong(0..0, format!("the filter has {} bytes; at most {LENGTH_LIMIT} are right", text.len())));
        }
        if let Some(at) = too_deep(text) {
            return Err(wrong(at..at + 1, format!("brackets within more than {DEPTH_LIMIT} others are too deep")));
        }
        let not_jq = |place: &str| {
            let at = place_in(text, place);
            let seen = if at.start == text.len() { "it ends too early" } else { "this is unexpected" };
            wrong(at, format!("this is not a jq filter: {seen}"))
        };
        let tokens = Lexer::new(text).lex().map_err(|errors| not_jq(errors.first().map_or("", |error| error.1)))?;
        let term = Parser::new(&tokens).parse(Parser::term).map_err(|errors| {
            let place = errors.first().and_then(|(_, token)| token.as_ref().map(|token| token.0));
            not_jq(place.unwrap_or(&text[text.len()..]))
        })?;
        let term = metered(term).map_err(|refused| {
            wrong(place_in(text, refused.place), format!("{} cannot be used in an expectation", refused.what))
        })?;
        let arena = Arena::default();
        compiled(term, &arena)
            .map(|filter| Self(Arc::new(filter)))
            .map_err(|(place, what)| wrong(place_in(text, place), format!("there is no such {what} here: `{place}`")))
    }

    /// Whether the first output for `body` is neither false nor null; else what was seen.
    pub(super) fn holds(&self, body: &str) -> Result<(), String> {
        // Its recursion is bounded, that of the reader of jaq is not.
        let value: Val = serde_json::from_str(body).map_err(|error| format!("the body is not JSON: {error}"))?;
        METER.set(Some(Meter { steps: STEPS, end: Instant::now() + TIME }));
        let run = || {
            let context = Ctx::<Data>::new(&self.0.lut, Vars::new([]));
            let first = self.0.id.run((context, value)).map(unwrap_valr).next();
            match first {
                None => Err("it had no output".to_owned()),
                Some(Err(error)) => Err(format!("it failed: {}", cut(&error.to_string(), 60))),
                Some(Ok(Val::Null)) => Err("it was null".to_owned()),
                Some(Ok(Val::Bool(false))) => Err("it was false".to_owned()),
                Some(Ok(_)) => Ok(()),
            }
        };
        let outcome = catch_unwind(AssertUnwindSafe(run));
        METER.set(None);
        outcome.unwrap_or_else(|payload| match payload.downcast_ref::<UsedUp>() {
            Some(_) => Err("it took too long, and was given up".to_owned()),
            None => resume_unwind(payload),
        })
    }
}

fn too_deep(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    text.bytes().position(|byte| {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth > DEPTH_LIMIT
    })
}

/// Where `part` stands in `text`, of which it is a piece; at its end if it is not.
fn place_in(text: &str, part: &str) -> Range<usize> {
    let (start, whole) = (part.as_ptr() as usize, text.as_ptr() as usize);
    let is_inside = (whole..=whole + text.len()).contains(&start) && start + part.len() <= whole + text.len();
    if !is_inside {
        return text.len()..text.len();
    }
    let at = load::span(text, part);
    let first_line = part.split_whitespace().next().map_or(0, str::len);
    at.start..at.start + first_line
}

/// A part of a filter that may not be used.
struct Refused<'a> {
    place: &'a str,
    what: String,
}

/// What a filter has left. Native filters are plain functions, so it is where they find it.
#[derive(Clone, Copy)]
struct Meter {
    steps: usize,
    end: Instant,
}

/// With what a filter is unwound that has nothing left.
struct UsedUp;

thread_local! {
    static METER: Cell<Option<Meter>> = const { Cell::new(None) };
}

/// Charges for a value with all that is in it; does not come back if that is too much.
fn charge(value: &Val) {
    let Some(mut meter) = METER.get() else { return };
    let used_up = !spend(value, &mut meter.steps) || Instant::now() > meter.end;
    METER.set(Some(meter));
    if used_up {
        // Errors of jq could be caught by the filter itself. Nothing is printed: this is no panic.
        resume_unwind(Box::new(UsedUp));
    }
}

/// Recurses as deep as the value is, which is bounded by that of the body and the filter.
fn spend(value: &Val, steps: &mut usize) -> bool {
    let own = match value {
        Val::TStr(text) | Val::BStr(text) => 1 + text.len() / 64,
        _ => 1,
    };
    let Some(left) = steps.checked_sub(own) else { return false };
    *steps = left;
    match value {
        Val::Arr(items) => items.iter().all(|item| spend(item, steps)),
        Val::Obj(fields) => fields.iter().all(|(key, item)| spend(key, steps) && spend(item, steps)),
        _ => true,
    }
}

/// The term with a meter behind each part that makes something.
fn metered(term: Term<&str>) -> Result<Term<&str>, Refused<'_>> {
    let boxed = |term: Box<Term<_>>| metered(*term).map(Box::new);
    let refused = |place, what: &str| Err(Refused { place, what: what.to_owned() });
    let term = match term {
        term @ (Term::Id | Term::Num(_) | Term::Var(_)) => return Ok(term),
        Term::Str(None, parts) => {
            let parts = parts.into_iter().map(|part| match part {
                StrPart::Term(term) => metered(term).map(StrPart::Term),
                part => Ok(part),
            });
            Term::Str(None, parts.collect::<Result<_, _>>()?)
        }
        Term::Str(Some(format), _) => return refused(format, &format!("`{format}`")),
        Term::Recurse => Term::Recurse,
        Term::Arr(inner) => Term::Arr(inner.map(boxed).transpose()?),
        Term::Obj(fields) => {
            let fields = fields.into_iter().map(|(key, value)| Ok((metered(key)?, value.map(metered).transpose()?)));
            Term::Obj(fields.collect::<Result<_, _>>()?)
        }
        Term::Neg(inner) => Term::Neg(boxed(inner)?),
        Term::BinOp(left, operator, right) => return operation(*left, operator, *right),
        Term::TryCatch(inner, catch) => Term::TryCatch(boxed(inner)?, catch.map(boxed).transpose()?),
        Term::IfThenElse(branches, otherwise) => {
            let branches = branches.into_iter().map(|(condition, then)| Ok((metered(condition)?, metered(then)?)));
            Term::IfThenElse(branches.collect::<Result<_, _>>()?, otherwise.map(boxed).transpose()?)
        }
        Term::Call(name, arguments) => {
            if !FUNCTIONS.contains(&name) {
                return refused(name, &format!("`{name}`"));
            }
            Term::Call(name, arguments.into_iter().map(metered).collect::<Result<_, _>>()?)
        }
        Term::Path(inner, Path(parts)) => {
            let part = |part| {
                Ok(match part {
                    Part::Index(index) => Part::Index(metered(index)?),
                    Part::Range(from, to) => Part::Range(from.map(metered).transpose()?, to.map(metered).transpose()?),
                })
            };
            // Each step of its own, so that none can multiply unseen.
            let mut term = metered(*inner)?;
            for (each, optional) in parts {
                term = measured(Term::Path(Box::new(term), Path(vec![(part(each)?, optional)])), "__pass");
            }
            return Ok(term);
        }
        Term::Def(defs, _) => return refused(defs.first().map_or("", |def| def.name), "a definition"),
        Term::Fold(name, ..) => return refused(name, &format!("`{name}`")),
        Term::Label(name, _) | Term::Break(name) => return refused(name, "a label"),
    };
    Ok(measured(term, "__charge"))
}

fn operation<'a>(
    left: Term<&'a str>,
    operator: BinaryOp<&'a str>,
    right: Term<&'a str>,
) -> Result<Term<&'a str>, Refused<'a>> {
    let is_assignment =
        matches!(operator, BinaryOp::Assign | BinaryOp::Update | BinaryOp::UpdateMath(_) | BinaryOp::UpdateAlt);
    if is_assignment {
        return Err(Refused { place: "", what: "an assignment".to_owned() });
    }
    if let BinaryOp::Pipe(Some(pattern)) = &operator {
        plain(pattern)?;
    }
    let (left, right) = (metered(left)?, metered(right)?);
    // Of arrays these take the square of the time, and a text times a number is a text of any length.
    let is_number = matches!(operator, BinaryOp::Math(Math::Mul | Math::Sub));
    let operand = |term| if is_number { measured(term, "__number") } else { term };
    let charges = matches!(operator, BinaryOp::Math(_) | BinaryOp::Cmp(_));
    let term = Term::BinOp(Box::new(operand(left)), operator, Box::new(operand(right)));
    Ok(if charges { measured(term, "__charge") } else { term })
}

/// Refuses patterns that compute their keys.
fn plain<'a>(pattern: &Pattern<&'a str>) -> Result<(), Refused<'a>> {
    match pattern {
        Pattern::Var(_) => Ok(()),
        Pattern::Arr(items) => items.iter().try_for_each(plain),
        Pattern::Obj(_) => Err(Refused { place: "", what: "a pattern of an object".to_owned() }),
    }
}

fn measured<'a>(term: Term<&'a str>, meter: &'static str) -> Term<&'a str> {
    Term::BinOp(Box::new(term), BinaryOp::Pipe(None), Box::new(Term::Call(meter, Vec::new())))
}

/// Compiles a metered term; the error is the place and sort of a name that does not exist.
fn compiled<'a>(term: Term<&'a str>, arena: &'a Arena) -> Result<jaq_core::Filter<Data>, (&'a str, &'static str)> {
    const MAIN: &str = "__expectation";
    // Others of the standard library build on functions that are not here.
    let is_wanted = |def: &Def| match (def.name, def.args.len()) {
        ("split", arguments) => arguments == 1,
        ("test", _) => false,
        (name, _) => FUNCTIONS.contains(&name),
    };
    let defs = jaq_core::defs().chain(jaq_std::defs().filter(is_wanted)).chain(jaq_json::defs());
    let main: Def<&'a str> = Def { name: MAIN, args: Vec::new(), body: term };
    let defs = defs.map(of_any_lifetime).chain([main]);
    let modules = Loader::new(defs).load(arena, File { code: MAIN, path: () }).map_err(|_| ("", "filter"))?;
    let json = jaq_json::funs().filter(|(name, ..)| *name != "contains");
    let funs = jaq_core::funs().chain(jaq_std::base_funs()).chain(json);
    Compiler::default().with_funs(funs.chain(own())).compile(modules).map_err(|errors| {
        let first = errors.into_iter().flat_map(|(_, errors)| errors).next();
        first.map_or(("", "name"), |(name, undefined)| (name, undefined.as_str()))
    })
}

/// Definitions of the library beside those of a user, whose text lives shorter.
fn of_any_lifetime<'a>(def: Def<&'static str>) -> Def<&'a str> {
    def
}

/// The filters of our own: meters, and what stands in for a filter that takes too long.
fn own() -> [native::Fun<Data>; 5] {
    let no_arguments = || native::v(0);
    [
        (
            "__charge",
            no_arguments(),
            Native::new(|cv| {
                charge(&cv.1);
                box_once(Ok(cv.1))
            }),
        ),
        // A step of a path gives a part of what was charged for before.
        (
            "__pass",
            no_arguments(),
            Native::new(|cv| {
                charge(&Val::Null);
                box_once(Ok(cv.1))
            }),
        ),
        (
            "__number",
            no_arguments(),
            Native::new(|cv| {
                let outcome = match cv.1 {
                    number @ Val::Num(_) => Ok(number),
                    _ => Err(Exn::from(Error::str("`*` and `-` are for numbers here"))),
                };
                box_once(outcome)
            }),
        ),
        // That of jq takes the square of the time for arrays.
        (
            "contains",
            native::v(1),
            Native::new(|cv| {
                native::unary(cv, |value, part| match (&value, &part) {
                    (Val::TStr(text), Val::TStr(part)) => Ok(Val::Bool(memchr::memmem::find(text, part).is_some())),
                    _ => Err(Error::str("`contains` is for texts here; `any(. == …)` finds an item")),
                })
            }),
        ),
        // Patterns as in `body ~`.
        (
            "test",
            native::v(1),
            Native::new(|cv| {
                native::unary(cv, |value, expected| match (&value, &expected) {
                    (Val::TStr(text), Val::TStr(expected)) => {
                        let expected = String::from_utf8_lossy(expected);
                        let found = pattern(&expected).map_err(Error::str)?;
                        Ok(Val::Bool(found.is_match(text)))
                    }
                    _ => Err(Error::str("`test` is for texts")),
                })
            }),
        ),
    ]
}
