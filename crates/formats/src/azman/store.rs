//! The nouns of an authorization store, and what of it is not as Hyper-V set it up.

use super::AzManError;
use crate::security::Sid;
use crate::vmxml::Document;

/// The only role assignment of a store that nobody changed.
const DEFAULT_ROLE: &str = "Administrator";

/// An authorization store.
#[derive(Debug, Clone)]
pub struct Store {
    /// The whole file, for writing it back unchanged.
    pub document: Document,
    /// Attribute `MajorVersion`, as written.
    pub major_version: String,
    /// Attribute `MinorVersion`, as written.
    pub minor_version: String,
    /// Groups of the store itself.
    pub groups: Vec<Group>,
    /// Applications; Hyper-V has one, "Hyper-V services".
    pub applications: Vec<Application>,
    /// What the reader did not understand, as whole sentences with lines.
    pub unknown: Vec<String>,
}

/// `AzApplication`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Application {
    /// Attribute `Guid`, as written.
    pub guid: String,
    /// Attribute `Name`.
    pub name: String,
    /// Attribute `Description`.
    pub description: String,
    /// What can be allowed.
    pub operations: Vec<Operation>,
    /// Tasks and role definitions.
    pub tasks: Vec<Task>,
    /// Role assignments that hold everywhere.
    pub roles: Vec<Role>,
    /// Groups of the application.
    pub groups: Vec<Group>,
    /// Scopes; machines and switches name them.
    pub scopes: Vec<Scope>,
}

/// `AzScope`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scope {
    /// Attribute `Guid`, as written.
    pub guid: String,
    /// Attribute `Name`: by it machines and switches name their scope.
    pub name: String,
    /// Attribute `Description`.
    pub description: String,
    /// Tasks and role definitions of the scope.
    pub tasks: Vec<Task>,
    /// Role assignments that hold in the scope.
    pub roles: Vec<Role>,
    /// Groups of the scope.
    pub groups: Vec<Group>,
}

/// `AzOperation`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Operation {
    /// Attribute `Guid`, as written.
    pub guid: String,
    /// Attribute `Name`.
    pub name: String,
    /// Attribute `Description`.
    pub description: String,
    /// Element `OperationID`; `None` when it is missing or no number.
    pub id: Option<i64>,
}

/// `AzTask`: a task, or the definition of a role.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Task {
    /// Attribute `Guid`, as written.
    pub guid: String,
    /// Attribute `Name`.
    pub name: String,
    /// Attribute `Description`.
    pub description: String,
    /// Attribute `RoleDefinition`.
    pub is_role_definition: bool,
    /// Elements `OperationLink`: GUIDs of operations.
    pub operation_links: Vec<String>,
    /// Elements `TaskLink`: GUIDs of tasks.
    pub task_links: Vec<String>,
    /// A script decides too (element `BizRule`, or attribute `BizRuleImportedPath` that is not empty).
    pub has_rule: bool,
}

/// `AzRole`: an assignment of role definitions to members.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Role {
    /// Attribute `Guid`, as written.
    pub guid: String,
    /// Attribute `Name`.
    pub name: String,
    /// Attribute `Description`.
    pub description: String,
    /// Elements `TaskLink`: GUIDs of role definitions.
    pub task_links: Vec<String>,
    /// Elements `OperationLink`: GUIDs of operations.
    pub operation_links: Vec<String>,
    /// Elements `Member`.
    pub members: Vec<Sid>,
    /// Texts of elements `Member` that are no SID.
    pub odd_members: Vec<String>,
    /// Elements `AppMemberLink`: GUIDs of groups.
    pub group_links: Vec<String>,
}

/// `AzApplicationGroup`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Group {
    /// Attribute `Guid`, as written.
    pub guid: String,
    /// Attribute `Name`.
    pub name: String,
    /// Attribute `Description`.
    pub description: String,
    /// Attribute `GroupType`: `Basic`, `Bizrule`, `LdapQuery`.
    pub kind: String,
    /// Elements `Member`.
    pub members: Vec<Sid>,
    /// Elements `NonMember`.
    pub non_members: Vec<Sid>,
    /// Texts of elements `Member` and `NonMember` that are no SID.
    pub odd_members: Vec<String>,
    /// Elements `AppMemberLink`: GUIDs of groups.
    pub group_links: Vec<String>,
    /// Elements `AppNonMemberLink`: GUIDs of groups.
    pub non_group_links: Vec<String>,
    /// Element `LdapQuery`.
    pub ldap_query: String,
}

/// One role assignment with its links resolved to names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment<'a> {
    /// Name of the application.
    pub application: &'a str,
    /// Name of the scope; `None` = everywhere.
    pub scope: Option<&'a str>,
    /// Name of the role assignment.
    pub role: &'a str,
    /// Who is in it.
    pub members: &'a [Sid],
    /// Texts of members that are no SID.
    pub odd_members: &'a [String],
    /// Names of the groups in it; the GUID of a group that the store does not have.
    pub groups: Vec<&'a str>,
    /// Names of the role definitions; the GUID of a definition that the store does not have.
    pub definitions: Vec<&'a str>,
}

impl Store {
    /// Reads a store; `file` is what messages call it.
    pub fn parse(bytes: &[u8], file: &str) -> Result<Store, AzManError> {
        super::read::store(Document::parse(bytes, file).map_err(AzManError::Xml)?)
    }

    /// The bytes of the file, as read.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.document.to_bytes()
    }

    /// All role assignments, those that hold everywhere before those of scopes.
    pub fn assignments(&self) -> Vec<Assignment<'_>> {
        let mut all = Vec::new();
        for application in &self.applications {
            for role in &application.roles {
                all.push(self.assignment(application, None, role));
            }
            for scope in &application.scopes {
                all.extend(scope.roles.iter().map(|role| self.assignment(application, Some(scope), role)));
            }
        }
        all
    }

    /// Whether the store is as Hyper-V set it up: one application with the one role assignment "Administrator" whose only
    /// member is the group Administrators; no scopes, no groups, nothing unknown. Definitions and operations are not compared.
    pub fn is_default(&self) -> bool {
        self.customisations().is_empty()
    }

    /// What somebody changed, as whole sentences; empty for a store as Hyper-V set it up.
    pub fn customisations(&self) -> Vec<String> {
        let mut found = Vec::new();
        if self.applications.len() != 1 {
            found.push(format!("The store has {} applications; one was expected.", self.applications.len()));
        }
        found.extend(self.groups.iter().map(|group| format!("The store has the group '{}'.", group.name)));
        for application in &self.applications {
            for group in &application.groups {
                found.push(format!("The application '{}' has the group '{}'.", application.name, group.name));
            }
            for scope in &application.scopes {
                found.push(format!("The application '{}' has the scope '{}'.", application.name, scope.name));
            }
        }
        let assignments = self.assignments();
        for assignment in &assignments {
            found.extend(assignment.differences());
        }
        if !assignments.iter().any(|a| a.scope.is_none() && a.role == DEFAULT_ROLE) {
            found.push(format!("The role assignment '{DEFAULT_ROLE}' is missing."));
        }
        found.extend(self.unknown.iter().cloned());
        found
    }

    fn assignment<'a>(
        &'a self,
        application: &'a Application,
        scope: Option<&'a Scope>,
        role: &'a Role,
    ) -> Assignment<'a> {
        let of_scope = |scope: Option<&'a Scope>| scope.map_or((&[][..], &[][..]), |s| (&s.groups[..], &s.tasks[..]));
        let (scope_groups, scope_tasks) = of_scope(scope);
        let group = |guid: &'a String| {
            let mut groups = scope_groups.iter().chain(&application.groups).chain(&self.groups);
            groups.find(|group| same_guid(&group.guid, guid)).map_or(guid.as_str(), |group| &group.name)
        };
        let definition = |guid: &'a String| {
            let mut tasks = scope_tasks.iter().chain(&application.tasks);
            tasks.find(|task| same_guid(&task.guid, guid)).map_or(guid.as_str(), |task| &task.name)
        };
        Assignment {
            application: &application.name,
            scope: scope.map(|scope| scope.name.as_str()),
            role: &role.name,
            members: &role.members,
            odd_members: &role.odd_members,
            groups: role.group_links.iter().map(group).collect(),
            definitions: role.task_links.iter().map(definition).collect(),
        }
    }
}

impl Assignment<'_> {
    fn differences(&self) -> Vec<String> {
        let place = match self.scope {
            Some(scope) => format!("role '{}' in scope '{scope}'", self.role),
            None => format!("role '{}'", self.role),
        };
        let administrators = Sid::builtin(544);
        let is_default_role = self.scope.is_none() && self.role == DEFAULT_ROLE;
        let mut found = Vec::new();
        if !is_default_role {
            found.push(format!("There is the {place}."));
        }
        for member in self.members.iter().filter(|m| !is_default_role || **m != administrators) {
            let name = member.well_known_name().map_or(String::new(), |name| format!(" ({name})"));
            found.push(format!("{member}{name} is a member of the {place}."));
        }
        found.extend(
            self.odd_members.iter().map(|member| format!("'{member}', which is no SID, is a member of the {place}.")),
        );
        found.extend(self.groups.iter().map(|group| format!("The group '{group}' is a member of the {place}.")));
        if is_default_role && !self.members.contains(&administrators) {
            found.push(format!("{administrators} is not a member of the {place}."));
        }
        found
    }
}

/// GUIDs are equal in any case, with or without braces.
fn same_guid(a: &str, b: &str) -> bool {
    fn bare(guid: &str) -> &str {
        guid.trim().trim_matches(['{', '}'])
    }
    // Each link is compared with each group, so that no memory is taken here.
    bare(a).eq_ignore_ascii_case(bare(b))
}
