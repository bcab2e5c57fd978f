//! A script as the interpreter runs it. Everything that the subset does not have is refused before a line of it runs.

use std::rc::Rc;

/// Statements in order.
pub type Block = Vec<Statement>;

/// A script, a function or a script block.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Body {
    /// Its parameters, when it has a block of them.
    pub parameters: Option<Parameters>,
    /// What it does.
    pub statements: Block,
}

/// A `param` block with the attribute before it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Parameters {
    /// Whether `[CmdletBinding()]` stands before it.
    pub binding: Option<Binding>,
    /// The parameters in order.
    pub list: Vec<Parameter>,
}

/// What `[CmdletBinding()]` says.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Binding {
    /// `SupportsShouldProcess`.
    pub should_process: bool,
    /// `ConfirmImpact`, `Medium` when it is not said.
    pub impact: String,
}

/// One parameter.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Parameter {
    /// Name without `$`.
    pub name: String,
    /// Its type, when it has one.
    pub kind: Option<Rc<str>>,
    /// `Mandatory`.
    pub mandatory: bool,
    /// `[AllowEmptyString()]`.
    pub allows_empty: bool,
    /// `[AllowNull()]`.
    pub allows_null: bool,
    /// The words of `[ValidateSet()]`.
    pub words: Vec<String>,
    /// Its default.
    pub default: Option<Expression>,
}

/// A statement with the line where it begins.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// Line, from 1.
    pub line: usize,
    /// What it is.
    pub kind: StatementKind,
}

/// Kinds of statements.
#[derive(Debug, Clone, PartialEq)]
pub enum StatementKind {
    /// A pipeline or an assignment.
    Pipeline(Pipeline),
    /// `if`, `elseif`, `else`.
    If {
        /// Conditions with what they guard.
        arms: Vec<(Pipeline, Block)>,
        /// What follows `else`.
        otherwise: Option<Block>,
    },
    /// `switch` over one value.
    Switch {
        /// The value.
        subject: Pipeline,
        /// The clauses; no expression stands for `default`.
        clauses: Vec<(Option<Expression>, Block)>,
    },
    /// `foreach ($x in …)`.
    Foreach {
        /// Name of the variable.
        variable: String,
        /// What is gone through.
        over: Pipeline,
        /// What is done.
        body: Block,
    },
    /// `for (…; …; …)`.
    For {
        /// First part.
        start: Option<Pipeline>,
        /// Second part.
        condition: Option<Pipeline>,
        /// Third part.
        next: Option<Pipeline>,
        /// What is done.
        body: Block,
    },
    /// `while (…)`.
    While {
        /// The condition.
        condition: Pipeline,
        /// What is done.
        body: Block,
    },
    /// A function is defined.
    Function {
        /// Its name.
        name: String,
        /// What it is.
        body: Rc<Body>,
    },
    /// `try`, `catch`, `finally`.
    Try {
        /// What is tried.
        body: Block,
        /// What is done after an error.
        catch: Option<Block>,
        /// What is done in every case.
        finally: Option<Block>,
    },
    /// `return`.
    Return(Option<Pipeline>),
    /// `throw`.
    Throw(Option<Pipeline>),
    /// `exit`.
    Exit(Option<Pipeline>),
    /// `break`.
    Break,
    /// `continue`.
    Continue,
}

/// A pipeline or an assignment.
#[derive(Debug, Clone, PartialEq)]
pub enum Pipeline {
    /// Values that flow.
    Flow {
        /// Where they come from.
        first: Box<Stage>,
        /// What they go through.
        rest: Vec<Command>,
    },
    /// An assignment.
    Assign {
        /// A variable, a property or an element.
        target: Expression,
        /// `=`, `+=` or `-=`.
        operator: String,
        /// What is assigned.
        value: Box<Pipeline>,
        /// Line, from 1.
        line: usize,
    },
}

/// The first part of a pipeline.
#[derive(Debug, Clone, PartialEq)]
pub enum Stage {
    /// An expression.
    Expression(Expression),
    /// A command.
    Command(Command),
}

/// How a command is called.
#[derive(Debug, Clone, PartialEq)]
pub enum Called {
    /// By its name.
    Name(String),
    /// `& expression`: a script file in a scope of its own.
    Run(Expression),
    /// `. expression`: a script file in this scope.
    DotSource(Expression),
}

/// What flows on with the output of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Merges {
    /// Errors that do not end it (`2>&1`).
    pub errors: bool,
    /// Warnings (`3>&1`).
    pub warnings: bool,
}

impl Merges {
    /// True when there is a redirection.
    pub fn any(self) -> bool {
        self.errors || self.warnings
    }
}

/// A call of a command.
#[derive(Debug, Clone, PartialEq)]
pub struct Command {
    /// What is called.
    pub called: Called,
    /// Arguments: the name of the parameter, when there is one, and the value, when there is one.
    pub arguments: Vec<(Option<String>, Option<Expression>)>,
    /// What flows on with its output.
    pub merges: Merges,
    /// Line, from 1.
    pub line: usize,
}

/// A piece of an expandable text.
#[derive(Debug, Clone, PartialEq)]
pub enum Piece {
    /// As it stands.
    Text(String),
    /// A value.
    Value(Expression),
}

/// An expression with its line.
#[derive(Debug, Clone, PartialEq)]
pub struct Expression {
    /// Line, from 1.
    pub line: usize,
    /// What it is.
    pub kind: ExpressionKind,
}

/// Kinds of expressions.
#[derive(Debug, Clone, PartialEq)]
pub enum ExpressionKind {
    /// A text.
    Text(Rc<str>),
    /// A whole number of 32 bits.
    Int(i32),
    /// A whole number of 64 bits.
    Long(i64),
    /// A text with values in it.
    Expandable(Vec<Piece>),
    /// A variable; its drive (`env`, `script`) is part of the name.
    Variable(String),
    /// `a, b`.
    List(Vec<Expression>),
    /// `@( … )`.
    Array(Block),
    /// `$( … )`.
    Sub(Block),
    /// `( … )`.
    Paren(Box<Pipeline>),
    /// `@{ … }`.
    Hash(Vec<(Expression, Pipeline)>),
    /// `{ … }`.
    Block(Rc<Body>),
    /// `[type]`.
    Type(Rc<str>),
    /// `[type]expression`.
    Cast(Rc<str>, Box<Expression>),
    /// `-not`, `!` or `-`.
    Unary(String, Box<Expression>),
    /// Two operands, the operator in small letters.
    Binary(String, Box<Expression>, Box<Expression>),
    /// `target.name`.
    Member(Box<Expression>, Box<Expression>),
    /// `[type]::name`.
    StaticMember(Rc<str>, String),
    /// `target[index]`.
    Index(Box<Expression>, Box<Expression>),
    /// `target.name(arguments)`.
    Call(Box<Expression>, String, Vec<Expression>),
    /// `[type]::name(arguments)`.
    StaticCall(Rc<str>, String, Vec<Expression>),
    /// `$x++` or `$x--`.
    Step(Box<Expression>, i32),
}
